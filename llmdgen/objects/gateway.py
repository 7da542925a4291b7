"""The Gateway, the object that configures its proxy and Service, and the HTTPRoute to the InferencePool."""

from __future__ import annotations

from typing import Any

from llmdgen.findings import Route
from llmdgen.objects.chart import Object, document, present
from llmdgen.planning.model import Plan
from llmdgen.planning.router import PORT
from llmdgen.yaml_text import dump

_GROUP = "gateway.networking.k8s.io"


def gateway(plan: Plan) -> Object:
    """The Gateway: one HTTP listener for routes of its own namespace."""
    settings = plan.gateway.settings
    parameters = {key: settings["parameters"][key] for key in ("group", "kind")} | {"name": plan.names.gateway}
    listener = {
        "name": "default",
        "port": PORT,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    spec = {
        "gatewayClassName": settings["class"],
        "infrastructure": {"parametersRef": parameters},
        "listeners": [listener],
    }
    doc = document(plan, f"{_GROUP}/v1", "Gateway", plan.names.gateway, spec=spec)
    doc["metadata"]["labels"] |= settings.get("labels", {})
    place: Route = ("metadata", "annotations")
    if settings["annotations_from"] == "gateway" and plan.gateway.annotations:
        doc["metadata"]["annotations"] = plan.gateway.annotations
    copied = (
        f"{plan.gateway.provider} copies these to the Service that it makes, where the load balancer controller"
        " reads them."
    )
    origin: dict[Route, Route] = {(): ("spec", "gateway"), place: ("spec", "gateway", "loadBalancer")}
    return Object(file="gateway.yaml", doc=doc, origin=origin, comments={place: copied})


def parameters(plan: Plan) -> Object:
    """The provider's parameters: a ConfigMap for Istio, a kind of their own for kgateway and agentgateway."""
    settings = plan.gateway.settings["parameters"]
    group, version, kind = settings["group"], settings["version"], settings["kind"]
    version = f"{group}/{version}" if group else version
    doc = document(plan, version, kind, plan.names.gateway, **_BODIES[kind](plan))
    return Object(file="gateway-parameters.yaml", doc=doc, origin={(): ("spec", "gateway")})


def http_route(plan: Plan) -> Object:
    """The route of every path to the pool. The router charts' own routes end every answer after 300 seconds."""
    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": plan.names.pool, "weight": 1}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [pool],
        "timeouts": {"request": "0s", "backendRequest": "0s"},
    }
    spec = {"parentRefs": [{"group": _GROUP, "kind": "Gateway", "name": plan.names.gateway}], "rules": [rule]}
    return Object(
        file="route.yaml",
        doc=document(plan, f"{_GROUP}/v1", "HTTPRoute", plan.names.route, spec=spec),
        comments={("spec", "rules", 0, "timeouts"): "Without a time limit: answers stream for as long as they take."},
    )


def _service(plan: Plan) -> dict[str, Any]:
    """What a provider puts into the spec of its Service."""
    return present(type=plan.gateway.service_type, loadBalancerClass=plan.gateway.balancer_class)


def _istio(plan: Plan) -> dict[str, Any]:
    """What Istio merges into the proxy's Deployment and Service: YAML in texts."""
    settings = plan.gateway.settings
    proxy = {**settings["proxy"], "resources": settings["resources"]}
    deployment = {"spec": {"template": {"spec": {"containers": [proxy]}}}}
    return {"data": {"deployment": dump(deployment), "service": dump({"spec": _service(plan)})}}


def _kgateway(plan: Plan) -> dict[str, Any]:
    service = present(type=plan.gateway.service_type, extraAnnotations=plan.gateway.annotations)
    proxy = {**plan.gateway.settings.get("proxy", {}), "resources": plan.gateway.settings["resources"]}
    return {"spec": {"kube": {"envoyContainer": proxy, "service": service}}}


def _agentgateway(plan: Plan) -> dict[str, Any]:
    settings = plan.gateway.settings
    service = present(metadata=present(annotations=plan.gateway.annotations), spec=_service(plan))
    return {"spec": {**settings["parameters"].get("spec", {}), "resources": settings["resources"], "service": service}}


_BODIES = {"ConfigMap": _istio, "GatewayParameters": _kgateway, "AgentgatewayParameters": _agentgateway}
