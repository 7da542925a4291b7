"""How the Gateway is exposed: the type of the Service that its provider makes, and that Service's annotations."""

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
    return GatewayPlan(
        provider=asked.provider,
        settings=settings,
        service_type="LoadBalancer" if balancer else "ClusterIP",
        annotations=annotations,
    )
