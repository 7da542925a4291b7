"""The way of a request: Gateway, HTTPRoute, InferencePool, endpoint picker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmdgen.kube.manifest import Manifest
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
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
    for route in rendered.of_kind("HTTPRoute", _GATEWAY_GROUP):
        for number, entry in enumerate(items(at(route.doc, "spec", "rules"))):
            for index, backend in enumerate(map(mapping, items(mapping(entry).get("backendRefs")))):
                kind, group = backend.get("kind", "Service"), backend.get("group", "")
                target = rendered.find(kind, backend.get("name"), backend.get("namespace") or route.namespace)
                if target is None or (kind == "InferencePool" and group != target.group):
                    what = f"{group}/{kind}" if group else str(kind)
                    says = f"there is no {what} {backend.get('name')}"
                    fix = f"name {_one_of(rendered.pools)} with its group and kind"
                    yield found("spec", "rules", number, "backendRefs", index, says=says, fix=fix, of=route)
                    continue
                port, known = backend.get("port"), _ports(target)
                if port is not None and known and port not in known:
                    place = ("spec", "rules", number, "backendRefs", index, "port")
                    says = f"{target} has no port {port}"
                    yield found(*place, says=says, fix=f"write {' or '.join(map(str, known))}", of=route)


@rule("VER042", "error", "a pool's endpoint picker is not there")
def pools_have_an_endpoint_picker(rendered: Rendered) -> Iterator[Draft]:
    """The gateway asks the pool's endpoint picker, a Service, which pod gets a request.

    Fails:  endpointPickerRef port 9002 and a Service whose ports are 9003 and 9090.
    Passes: the Service exists in the pool's namespace and has the port.
    """
    for pool in rendered.pools:
        key = "endpointPickerRef" if at(pool.doc, "spec", "endpointPickerRef") else "extensionRef"
        reference = mapping(at(pool.doc, "spec", key))
        service = rendered.find("Service", reference.get("name"), pool.namespace)
        if service is None:
            says = f"there is no Service {reference.get('name')}"
            yield found("spec", key, says=says, fix="name the scheduler's Service", of=pool)
            continue
        port = at(reference, "port", "number") or reference.get("portNumber") or 9002
        ports = [mapping(each).get("port") for each in items(at(service.doc, "spec", "ports"))]
        if port not in ports:
            says = f"{service} has no port {port}, only {', '.join(map(str, ports))}"
            yield found("spec", key, "port", says=says, fix="make the two ports one", of=pool)


@rule("VER043", "error", "a pool gets no requests")
def pools_are_routed(rendered: Rendered) -> Iterator[Draft]:
    """One `helmfile apply` deploys everything: without an HTTPRoute to the pool the gateway answers 404.

    Fails:  a Gateway and a pool, and an HTTPRoute left for kubectl.
    Passes: an HTTPRoute in chart/templates, or from the router's chart.
    """
    routed = {
        mapping(backend).get("name")
        for route in rendered.of_kind("HTTPRoute", _GATEWAY_GROUP)
        for entry in items(at(route.doc, "spec", "rules"))
        for backend in items(mapping(entry).get("backendRefs"))
    }
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
        for number, entry in enumerate(map(mapping, items(at(route.doc, "spec", "rules")))):
            matches = [mapping(each) for each in items(entry.get("matches"))] or [{}]
            paths += [str(at(each, "path", "value") or "/") for each in matches]
            backends = [mapping(each) for each in items(entry.get("backendRefs"))]
            if backends and not any(each.get("weight", 1) for each in backends):
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
    for route in rendered.of_kind("HTTPRoute", _GATEWAY_GROUP):
        for number, entry in enumerate(items(at(route.doc, "spec", "rules"))):
            limits = mapping(mapping(entry).get("timeouts"))
            for key in ("request", "backendRequest"):
                limit = str(limits.get(key, "0s"))
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
        picker = at(pool.doc, "spec", "endpointPickerRef", "name") or at(pool.doc, "spec", "extensionRef", "name")
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
            pool_of = mapping(at(destination.doc, "spec", "trafficPolicy", "connectionPool"))
            for place in (("http", "http1MaxPendingRequests"), ("http", "http2MaxRequests"), ("tcp", "maxConnections")):
                number = at(pool_of, *place)
                if isinstance(number, int) and number <= _FEW_REQUESTS:
                    path = ("spec", "trafficPolicy", "connectionPool", *place)
                    fix = "set it well above the requests of a busy hour, or leave it out"
                    yield found(*path, says=f"{place[1]} is {number}", fix=fix, of=destination)


def _ports(backend: Manifest) -> list[object]:
    """The port numbers at which a pool or a Service takes requests."""
    spec = mapping(backend.doc.get("spec"))
    if backend.kind == "Service":
        return [mapping(each).get("port") for each in items(spec.get("ports"))]
    numbers = [mapping(each).get("number") for each in items(spec.get("targetPorts"))]
    return numbers or [each for each in (spec.get("targetPortNumber"),) if each is not None]


def _one_of(manifests: Iterable[Manifest]) -> str:
    return " or ".join(each.name for each in manifests) or "one that a release makes"
