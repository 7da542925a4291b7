"""The Gateway, and the object that configures its proxy and the Service that its provider makes."""

from __future__ import annotations

from typing import Any

from llmdgen.findings import Route
from llmdgen.objects.labels import metadata
from llmdgen.objects.object import Object
from llmdgen.planning.gateway import PORT
from llmdgen.planning.model import Plan
from llmdgen.yaml_text import dump


def gateway(plan: Plan) -> Object:
    """The Gateway: one HTTP listener for routes of its own namespace."""
    settings = plan.gateway.settings
    parameters = settings["parameters"]
    about = metadata(plan, plan.names.gateway)
    about["labels"] |= settings.get("labels", {})
    comments: dict[Route, str] = {}
    if settings["annotations_from"] == "gateway" and plan.gateway.annotations:
        about["annotations"] = plan.gateway.annotations
        comments[("metadata", "annotations")] = (
            f"{plan.gateway.provider} copies these to the Service that it makes, where the load balancer controller"
            " reads them."
        )
    return Object(
        file="gateway.yaml",
        doc={
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": about,
            "spec": {
                "gatewayClassName": settings["class"],
                "infrastructure": {
                    "parametersRef": {
                        "group": parameters["group"],
                        "kind": parameters["kind"],
                        "name": plan.names.gateway,
                    }
                },
                "listeners": [
                    {
                        "name": "default",
                        "port": PORT,
                        "protocol": "HTTP",
                        "allowedRoutes": {"namespaces": {"from": "Same"}},
                    }
                ],
            },
        },
        origin={(): ("spec", "gateway"), ("metadata", "annotations"): ("spec", "gateway", "loadBalancer")},
        comments=comments,
    )


def parameters(plan: Plan) -> Object:
    """The provider's parameters: a ConfigMap for Istio, a kind of their own for kgateway and agentgateway."""
    settings = plan.gateway.settings["parameters"]
    group, version = settings["group"], settings["version"]
    return Object(
        file="gateway-parameters.yaml",
        doc={
            "apiVersion": f"{group}/{version}" if group else version,
            "kind": settings["kind"],
            "metadata": metadata(plan, plan.names.gateway),
            **_BODIES[settings["kind"]](plan),
        },
        origin={(): ("spec", "gateway")},
    )


def _service(plan: Plan) -> dict[str, Any]:
    """What a provider puts into the spec of its Service."""
    found: dict[str, Any] = {"type": plan.gateway.service_type}
    if plan.gateway.balancer_class:
        found["loadBalancerClass"] = plan.gateway.balancer_class
    return found


def _istio(plan: Plan) -> dict[str, Any]:
    """What Istio merges into the proxy's Deployment and Service: YAML in texts."""
    settings = plan.gateway.settings
    proxy = {**settings["proxy"], "resources": settings["resources"]}
    deployment = {"spec": {"template": {"spec": {"containers": [proxy]}}}}
    return {"data": {"deployment": dump(deployment), "service": dump({"spec": _service(plan)})}}


def _kgateway(plan: Plan) -> dict[str, Any]:
    service: dict[str, Any] = {"type": plan.gateway.service_type}
    if plan.gateway.annotations:
        service["extraAnnotations"] = plan.gateway.annotations
    proxy = {**plan.gateway.settings.get("proxy", {}), "resources": plan.gateway.settings["resources"]}
    return {"spec": {"kube": {"envoyContainer": proxy, "service": service}}}


def _agentgateway(plan: Plan) -> dict[str, Any]:
    service: dict[str, Any] = {"spec": _service(plan)}
    if plan.gateway.annotations:
        service = {"metadata": {"annotations": plan.gateway.annotations}, **service}
    settings = plan.gateway.settings
    own = settings["parameters"].get("spec", {})
    return {"spec": {**own, "resources": settings["resources"], "service": service}}


_BODIES = {"ConfigMap": _istio, "GatewayParameters": _kgateway, "AgentgatewayParameters": _agentgateway}
