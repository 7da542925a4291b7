"""The way of a request: Gateway, HTTPRoute, InferencePool, endpoint picker, and who listens at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llmdgen.facts.catalogue import program_flags, release_toml
from llmdgen.kube.workload import Manifest
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping, maps
from llmdgen.verify.rendered import Rendered

_GATEWAY_GROUP = "gateway.networking.k8s.io"
_FEW_REQUESTS = 1024  # Envoy's own default circuit breaker, which Istio lifts


@rule("VER040", "error", "a route hangs on a Gateway that is not there")
def routes_have_a_gateway(rendered: Rendered) -> Iterator[Draft]:
    """An HTTPRoute takes effect on the Gateway that its parentRefs name, on the listener of that section name.

    Fails:  parentRefs with inference-gateway beside a Gateway x-gateway.
    Passes: parentRefs with x-gateway.
    """
    for route in rendered.of_kind("HTTPRoute", _GATEWAY_GROUP):
        parents = items(at(route.doc, "spec", "parentRefs"))
        if not parents:
            yield found("spec", "parentRefs", says="it hangs on no Gateway", fix="name the Gateway", of=route)
        for index, parent in enumerate(map(mapping, parents)):
            place = ("spec", "parentRefs", index)
            if (parent.get("group", _GATEWAY_GROUP), parent.get("kind", "Gateway")) != (_GATEWAY_GROUP, "Gateway"):
                what = f"{parent.get('group', _GATEWAY_GROUP)}/{parent.get('kind', 'Gateway')}"
                yield found(*place, says=f"its parent is a {what}", fix=f"name a Gateway of {_GATEWAY_GROUP}", of=route)
                continue
            gateway = rendered.find("Gateway", parent.get("name"), parent.get("namespace") or route.namespace)
            if gateway is None:
                says = f"there is no Gateway {parent.get('name')}"
                yield found(*place, says=says, fix=f"name {_one_of(rendered.of_kind('Gateway'))}", of=route)
                continue
            sections = [mapping(each).get("name") for each in items(at(gateway.doc, "spec", "listeners"))]
            if parent.get("sectionName") is not None and parent["sectionName"] not in sections:
                says = f"{gateway} has no listener {parent['sectionName']}"
                fix = f"name one of {', '.join(map(str, sections))}"
                yield found(*place, "sectionName", says=says, fix=fix, of=route)


@rule("VER041", "error", "a route leads to a backend that is not there")
def routes_lead_to_a_backend(rendered: Rendered) -> Iterator[Draft]:
    """A backendRef without its object makes the gateway answer 500 to every request. Group and kind default to a core
    Service, so that both must be written for an InferencePool.

    Fails:  backendRefs with kind InferencePool and name y-router, the pool being x-router.
    Passes: group inference.networking.k8s.io, kind InferencePool, name x-router, and the pool's port or none.
    """
    for route, number, entry in _rules(rendered):
        for index, backend in maps(entry.get("backendRefs")):
            place = ("spec", "rules", number, "backendRefs", index)
            kind, group = backend.get("kind", "Service"), backend.get("group", "")
            target = rendered.find(kind, backend.get("name"), backend.get("namespace") or route.namespace)
            if target is None or (kind == "InferencePool" and group != target.group):
                says = f"there is no {f'{group}/{kind}' if group else kind} {backend.get('name')}"
                yield found(*place, says=says, fix=f"name {_one_of(rendered.pools)} with its group and kind", of=route)
                continue
            port, known = backend.get("port"), _ports(target)
            if port is not None and known and port not in known:
                fix = f"write {' or '.join(map(str, known))}"
                yield found(*place, "port", says=f"{target} has no port {port}", fix=fix, of=route)


@rule("VER042", "error", "a pool's endpoint picker is not there")
def pools_have_an_endpoint_picker(rendered: Rendered) -> Iterator[Draft]:
    """The gateway asks the pool's endpoint picker, a Service, which pod gets a request.

    Fails:  endpointPickerRef port 9002 and a Service whose ports are 9003 and 9090.
    Passes: the Service exists in the pool's namespace and has the port.
    """
    for pool in rendered.pools:
        (name, port), place = _picker(rendered, pool), ("spec", "endpointPickerRef")
        service = rendered.find("Service", name, pool.namespace)
        if service is None:
            yield found(*place, says=f"there is no Service {name}", fix="name the scheduler's Service", of=pool)
        elif port not in _ports(service):
            says = f"{service} has no port {port}, only {', '.join(map(str, _ports(service)))}"
            yield found(*place, "port", says=says, fix="make the two ports one", of=pool)


@rule("VER043", "error", "a pool gets no requests")
def pools_are_routed(rendered: Rendered) -> Iterator[Draft]:
    """One `helmfile apply` deploys everything: without an HTTPRoute to the pool the gateway answers 404.

    Fails:  a Gateway and a pool, and an HTTPRoute left for kubectl.
    Passes: an HTTPRoute in chart/templates, or from the router's chart.
    """
    routed = [each.get("name") for _, _, entry in _rules(rendered) for _, each in maps(entry.get("backendRefs"))]
    for pool in rendered.pools:
        if pool.name not in routed:
            yield found(says="no HTTPRoute leads to it", fix="add an HTTPRoute with this pool as its backend", of=pool)
    if not rendered.pools:
        fix = "add the release of the router's chart"
        yield found(says="no release makes an InferencePool", fix=fix, of="helmfile.yaml")


@rule("VER044", "error", "a DestinationRule is for a host that is not there")
def destination_rules_have_a_host(rendered: Rendered) -> Iterator[Draft]:
    """Istio applies a DestinationRule to a Service by its host name. For another host it does nothing, and the gateway
    then talks plain gRPC to a scheduler that expects TLS.

    Fails:  host llm-d-infpool-epp, the Service being x-router-epp.
    Passes: x-router-epp.<namespace>.svc.cluster.local.
    """
    for destination in rendered.of_kind("DestinationRule"):
        host = str(at(destination.doc, "spec", "host") or "")
        name, _, rest = host.partition(".")
        namespace = rest.partition(".")[0] or destination.namespace
        if rendered.find("Service", name, namespace) is None:
            says = f"{host} is not a Service of this deployment"
            fix = "leave the host to the chart, or name the Service"
            yield found("spec", "host", says=says, fix=fix, of=destination)


@rule("VER048", "error", "a route does not take the requests of the API")
def routes_take_the_api(rendered: Rendered) -> Iterator[Draft]:
    """Clients ask for /v1/chat/completions, /v1/completions and /v1/models. A rule for another path, or one whose
    backends all have weight 0, answers them with 404 or 500.

    Fails:  a PathPrefix /x alone; weight: 0.
    Passes: a rule without matches, or with the PathPrefix / or /v1.
    """
    for route in rendered.of_kind("HTTPRoute", _GATEWAY_GROUP):
        paths: list[str] = []
        for number, entry in maps(at(route.doc, "spec", "rules")):
            matches = maps(entry.get("matches")) or [(0, {})]
            paths += [str(at(each, "path", "value") or "/") for _, each in matches]
            backends = maps(entry.get("backendRefs"))
            if backends and not any(each.get("weight", 1) for _, each in backends):
                says = "all of its backends have weight 0"
                yield found("spec", "rules", number, "backendRefs", says=says, fix="give one a weight", of=route)
        if paths and not any("/v1".startswith(path.rstrip("/")) or path.startswith("/v1") for path in paths):
            says = f"it takes {', '.join(paths)}"
            yield found("spec", "rules", says=says, fix="match the PathPrefix /", of=route)


@rule("VER039", "warning", "a route cuts off long answers")
def routes_have_no_time_limit(rendered: Rendered) -> Iterator[Draft]:
    """A streamed answer takes as long as it takes: minutes, with a long context and a queue. A route's request timeout
    ends it in the middle, at whatever was streamed until then. 0s is none.

    Fails:  timeouts.request: 10s.
    Passes: timeouts {request: 0s, backendRequest: 0s}.
    """
    for route, number, entry in _rules(rendered):
        for key in ("request", "backendRequest"):
            limit = str(mapping(entry.get("timeouts")).get(key, "0s"))
            if limit.strip("0msh"):
                place = ("spec", "rules", number, "timeouts", key)
                yield found(*place, says=f"{key} ends after {limit}", fix="set it to 0s", of=route)


@rule("VER057", "error", "Istio reaches the endpoint picker without TLS, or with small limits")
def istio_has_its_rule(rendered: Rendered) -> Iterator[Draft]:
    """The endpoint picker serves TLS with a certificate of its own. Istio's gateway speaks to it so only where a
    DestinationRule for its Service says tls mode SIMPLE; otherwise no request is scheduled. Istio sets no limit on
    connections and requests itself; one that the rule sets holds for all clients together, and every streamed answer
    takes one of them.

    Fails:  provider.name: none, or misspelt, with the Gateway class istio; http2MaxRequests: 100.
    Passes: the DestinationRule that the router's chart makes with provider.name: istio.
    """
    if not any(at(each.doc, "spec", "gatewayClassName") == "istio" for each in rendered.of_kind("Gateway")):
        return
    for pool in rendered.pools:
        picker, _ = _picker(rendered, pool)
        hosts = [
            each
            for each in rendered.of_kind("DestinationRule")
            if str(at(each.doc, "spec", "host") or "").partition(".")[0] == picker
        ]
        if not hosts and rendered.find("Service", picker, pool.namespace) is not None:
            says = f"no DestinationRule is for {picker}"
            yield found("spec", says=says, fix="set provider.name of the router's chart to istio", of=pool)
        for destination in hosts:
            if at(destination.doc, "spec", "trafficPolicy", "tls", "mode") not in ("SIMPLE", "MUTUAL"):
                says = "it has no tls mode SIMPLE"
                yield found("spec", "trafficPolicy", "tls", says=says, fix="set mode: SIMPLE", of=destination)
            for limit in (("http", "http1MaxPendingRequests"), ("http", "http2MaxRequests"), ("tcp", "maxConnections")):
                place = ("spec", "trafficPolicy", "connectionPool", *limit)
                number = at(destination.doc, *place)
                if isinstance(number, int) and number <= _FEW_REQUESTS:
                    fix = "set it well above the requests of a busy hour, or leave it out"
                    yield found(*place, says=f"{limit[1]} is {number}", fix=fix, of=destination)


@rule("VER021", "error", "requests of the pool reach nobody")
def pool_port_reaches_the_first_listener(rendered: Rendered) -> Iterator[Draft]:
    """The gateway sends a request to the pool's target port of the chosen pod. There the routing sidecar listens where
    the pod has one, and vLLM itself elsewhere, as in every prefill pod.

    Fails:  targetPorts 8000 and a prefill vLLM on 8200.
    Passes: targetPorts 8000, decode's sidecar on 8000, prefill's vLLM on 8000.
    """
    default = str(program_flags(rendered.release.name, "sidecar")["port"].default)
    for workload in rendered.model_servers:
        vllm, sidecar = workload.vllm, workload.sidecar
        if vllm is None:
            continue
        if sidecar is not None:
            who, port, place = "the routing sidecar", sidecar.sidecar_flags.get("port", default), sidecar.route
        else:
            who, port, place = "vLLM", str(vllm.port), vllm.route
        for pool in rendered.pools_of(workload):
            targets = [str(mapping(each).get("number")) for each in items(at(pool.doc, "spec", "targetPorts"))]
            if targets and port not in targets:
                says = f"{who} listens on {port}, {pool} sends to {', '.join(targets)}"
                yield found(*place, "args", says=says, fix=f"let {who} listen on {targets[0]}", of=workload.manifest)


@rule("VER025", "error", "the endpoint picker's port is not the one that it listens on")
def picker_listens_where_the_pool_asks(rendered: Rendered) -> Iterator[Draft]:
    """The gateway asks the pool's endpoint picker through its Service, whose target must be the scheduler's
    --grpc-port, 9002 unless set. 9003, which its pods have too, answers health checks only.

    Fails:  a Service that sends the pool's port to 9003.
    Passes: 9002.
    """
    default = release_toml(rendered.release.name, "engine.toml")["ports"]["scheduler"]
    for pool in rendered.pools:
        name, number = _picker(rendered, pool)
        service = rendered.find("Service", name, pool.namespace)
        if service is None:
            continue
        ports = [port for _, port in maps(at(service.doc, "spec", "ports")) if port.get("port") == number]
        for workload in rendered.selected(mapping(at(service.doc, "spec", "selector"))):
            for container in (each for each in workload.containers if "pool-name" in each.sidecar_flags):
                names = {str(port.get("name")): port.get("containerPort") for port in container.list_of("ports")}
                listens = container.sidecar_flags.get("grpc-port", str(default))
                for target in (port.get("targetPort", number) for port in ports):
                    if str(names.get(str(target), target)) != listens:
                        says = f"it sends port {number} to {target}, the scheduler listens on {listens}"
                        yield found("spec", "ports", says=says, fix=f"send to {listens}", of=service)


def _rules(rendered: Rendered) -> Iterator[tuple[Manifest, int, dict[str, Any]]]:
    """The rules of every HTTPRoute, each with its route and its index."""
    for route in rendered.of_kind("HTTPRoute", _GATEWAY_GROUP):
        for number, entry in maps(at(route.doc, "spec", "rules")):
            yield route, number, entry


def _picker(rendered: Rendered, pool: Manifest) -> tuple[Any, Any]:
    """The Service of a pool's endpoint picker by its name, and the port that the gateway asks."""
    default = release_toml(rendered.release.name, "engine.toml")["ports"]["scheduler"]
    reference = mapping(at(pool.doc, "spec", "endpointPickerRef"))
    return reference.get("name"), at(reference, "port", "number") or default


def _ports(backend: Manifest) -> list[object]:
    """The port numbers at which a pool or a Service takes requests."""
    place, key = ("ports", "port") if backend.kind == "Service" else ("targetPorts", "number")
    return [each.get(key) for _, each in maps(at(backend.doc, "spec", place))]


def _one_of(manifests: Iterable[Manifest]) -> str:
    return " or ".join(each.name for each in manifests) or "one that a release makes"
