"""The Gateway: how it is exposed, and who writes it.

Istio copies a Gateway's own annotations to the Service that it makes, so the infra chart's `gateway.annotations` reach
the load balancer. kgateway and agentgateway do not: their parameters object carries the Service's annotations, and the
chart's has no place for them, so llmdgen writes Gateway and parameters itself (infra `extraDeploy`). Of which providers
that holds without a load balancer too, gateways.toml says.
"""

from __future__ import annotations

from typing import Any

from llmdgen.planning.model import GatewayPlan
from llmdgen.spec.model import Gateway

PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"


def gateway(asked: Gateway, settings: dict[str, Any]) -> GatewayPlan:
    """The gateway of a provider's settings (gateways.toml)."""
    balancer = asked.load_balancer
    annotations: dict[str, str] = {}
    if balancer is not None:
        annotations = {
            PREFIX + "type": "external",
            PREFIX + "scheme": balancer.scheme,
            PREFIX + "nlb-target-type": balancer.target_type,
            **balancer.annotations,
        }
    written = settings.get("own_gateway")
    return GatewayPlan(
        provider=asked.provider,
        settings=settings,
        service_type="LoadBalancer" if balancer else "ClusterIP",
        annotations=annotations,
        own_gateway=written == "always" or (written == "load_balancer" and balancer is not None),
    )
