"""The way of a request: Gateway, HTTPRoute, InferencePool, endpoint picker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmdgen.verify.manifests import Manifest
from llmdgen.verify.rendered import Rendered, at, items, mapping
from llmdgen.verify.rules import Found, found, invariant

_GATEWAY_GROUP = "gateway.networking.k8s.io"


@invariant("VER040", "error", "a route hangs on a Gateway that is not there")
def routes_have_a_gateway(rendered: Rendered) -> Iterator[Found]:
    """An HTTPRoute takes effect on the Gateway that its parentRefs name, on the listener of that section name.

    Fails:  parentRefs with inference-gateway beside a Gateway infra-x-inference-gateway.
    Passes: parentRefs with the Gateway that the infra chart makes.
    """
    for route in rendered.of_kind("HTTPRoute", _GATEWAY_GROUP):
        parents = items(at(route.doc, "spec", "parentRefs"))
        if not parents:
            yield found(route, "spec", "parentRefs", says="it hangs on no Gateway", fix="name the Gateway")
        for index, parent in enumerate(map(mapping, parents)):
            place = ("spec", "parentRefs", index)
            if parent.get("kind", "Gateway") != "Gateway":
                continue
            gateway = rendered.find("Gateway", parent.get("name"), parent.get("namespace") or route.namespace)
            if gateway is None:
                yield found(
                    route,
                    *place,
                    says=f"there is no Gateway {parent.get('name')}",
                    fix=f"name {_one_of(rendered.of_kind('Gateway'))}",
                )
                continue
            sections = [mapping(each).get("name") for each in items(at(gateway.doc, "spec", "listeners"))]
            if parent.get("sectionName") is not None and parent["sectionName"] not in sections:
                yield found(
                    route,
                    *place,
                    "sectionName",
                    says=f"{gateway} has no listener {parent['sectionName']}",
                    fix=f"name one of {', '.join(map(str, sections))}",
                )


@invariant("VER041", "error", "a route leads to a backend that is not there")
def routes_lead_to_a_backend(rendered: Rendered) -> Iterator[Found]:
    """A backendRef without its object makes the gateway answer 500 to every request. Group and kind default to a core
    Service, so that both must be written for an InferencePool.

    Fails:  backendRefs with kind InferencePool and name gaie-y, the pool being gaie-x.
    Passes: group inference.networking.k8s.io, kind InferencePool, name gaie-x.
    """
    for route in rendered.of_kind("HTTPRoute", _GATEWAY_GROUP):
        for number, rule in enumerate(items(at(route.doc, "spec", "rules"))):
            for index, backend in enumerate(map(mapping, items(mapping(rule).get("backendRefs")))):
                kind, group = backend.get("kind", "Service"), backend.get("group", "")
                target = rendered.find(kind, backend.get("name"), backend.get("namespace") or route.namespace)
                if target is None or (kind == "InferencePool" and group != target.group):
                    what = f"{group}/{kind}" if group else str(kind)
                    yield found(
                        route,
                        "spec",
                        "rules",
                        number,
                        "backendRefs",
                        index,
                        says=f"there is no {what} {backend.get('name')}",
                        fix=f"name {_one_of(rendered.pools)} with its group and kind",
                    )


@invariant("VER042", "error", "a pool's endpoint picker is not there")
def pools_have_an_endpoint_picker(rendered: Rendered) -> Iterator[Found]:
    """The gateway asks the pool's endpoint picker, a Service, which pod gets a request.

    Fails:  endpointPickerRef port 9002 and a Service whose ports are 9003 and 9090.
    Passes: the Service exists in the pool's namespace and has the port.
    """
    for pool in rendered.pools:
        key = "endpointPickerRef" if at(pool.doc, "spec", "endpointPickerRef") else "extensionRef"
        reference = mapping(at(pool.doc, "spec", key))
        service = rendered.find("Service", reference.get("name"), pool.namespace)
        if service is None:
            yield found(
                pool,
                "spec",
                key,
                says=f"there is no Service {reference.get('name')}",
                fix="name the scheduler's Service",
            )
            continue
        port = at(reference, "port", "number") or reference.get("portNumber") or 9002
        ports = [mapping(each).get("port") for each in items(at(service.doc, "spec", "ports"))]
        if port not in ports:
            yield found(
                pool,
                "spec",
                key,
                "port",
                says=f"{service} has no port {port}, only {', '.join(map(str, ports))}",
                fix="set inferenceExtension.extProcPort to the port of the Service",
            )


@invariant("VER043", "error", "a pool gets no requests")
def pools_are_routed(rendered: Rendered) -> Iterator[Found]:
    """One `helmfile apply` deploys everything: without an HTTPRoute to the pool the gateway answers 404.

    Fails:  a Gateway and a pool, and an HTTPRoute left for kubectl.
    Passes: an HTTPRoute among the objects of a release.
    """
    routed = {
        mapping(backend).get("name")
        for route in rendered.of_kind("HTTPRoute", _GATEWAY_GROUP)
        for rule in items(at(route.doc, "spec", "rules"))
        for backend in items(mapping(rule).get("backendRefs"))
    }
    for pool in rendered.pools:
        if pool.name not in routed:
            yield found(pool, says="no HTTPRoute leads to it", fix="add an HTTPRoute with this pool as its backend")
    if not rendered.pools:
        yield found("helmfile.yaml", says="no release makes an InferencePool", fix="add the inferencepool chart")


@invariant("VER044", "error", "a DestinationRule is for a host that is not there")
def destination_rules_have_a_host(rendered: Rendered) -> Iterator[Found]:
    """Istio applies a DestinationRule to a Service by its host name. For another host it does nothing, and the gateway
    then talks plain gRPC to a scheduler that expects TLS.

    Fails:  host llm-d-infpool-epp, the Service being gaie-x-epp.
    Passes: gaie-x-epp.<namespace>.svc.cluster.local.
    """
    for rule in rendered.of_kind("DestinationRule"):
        host = str(at(rule.doc, "spec", "host") or "")
        name, _, rest = host.partition(".")
        namespace = rest.partition(".")[0] or rule.namespace
        if rendered.find("Service", name, namespace) is None:
            yield found(
                rule,
                "spec",
                "host",
                says=f"{host} is no Service of this deployment",
                fix="leave the host to the chart, or name the Service",
            )


def _one_of(manifests: Iterable[Manifest]) -> str:
    return " or ".join(each.name for each in manifests) or "one that a release makes"
