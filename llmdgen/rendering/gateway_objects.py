"""The Gateway and its parameters, for providers whose Service the infra chart cannot describe."""

from __future__ import annotations

from typing import Any

from llmdgen.planning.model import Plan

GATEWAY_PORT = 80


def gateway_objects(plan: Plan) -> list[dict[str, Any]]:
    """The provider's parameters object, with the Service's type and annotations, and the Gateway that uses it."""
    parameters = plan.gateway.settings["parameters"]
    metadata = {"name": plan.names.gateway, "namespace": plan.names.namespace}
    spec = _SPECS[parameters["kind"]](plan)
    return [
        {
            "apiVersion": f"{parameters['group']}/{parameters['version']}",
            "kind": parameters["kind"],
            "metadata": metadata,
            "spec": {**parameters.get("spec", {}), **spec},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {**metadata, "labels": {"app.kubernetes.io/component": "inference-gateway"}},
            "spec": {
                "gatewayClassName": plan.gateway.settings["class"],
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
                        "port": GATEWAY_PORT,
                        "protocol": "HTTP",
                        "allowedRoutes": {"namespaces": {"from": "Same"}},
                    }
                ],
            },
        },
    ]


def _kgateway_parameters(plan: Plan) -> dict[str, Any]:
    service: dict[str, Any] = {"type": plan.gateway.service_type}
    if plan.gateway.annotations:
        service["extraAnnotations"] = plan.gateway.annotations
    return {"kube": {"envoyContainer": {"resources": plan.gateway.settings["resources"]}, "service": service}}


def _agentgateway_parameters(plan: Plan) -> dict[str, Any]:
    service: dict[str, Any] = {"spec": {"type": plan.gateway.service_type}}
    if plan.gateway.annotations:
        service = {"metadata": {"annotations": plan.gateway.annotations}, **service}
    return {"resources": plan.gateway.settings["resources"], "service": service}


_SPECS = {"GatewayParameters": _kgateway_parameters, "AgentgatewayParameters": _agentgateway_parameters}
