"""How the Gateway is exposed: the type of the Service that its provider makes, and that Service's annotations."""

from __future__ import annotations

from typing import Any

from llmdgen.facts.catalogue import table
from llmdgen.planning.launch import seconds
from llmdgen.planning.model import AUTO_MODE, GatewayPlan
from llmdgen.spec.model import Gateway

PORT = 80


def gateway(asked: Gateway, settings: dict[str, Any]) -> GatewayPlan:
    """The gateway of a provider's settings (gateways.toml)."""
    balancer = asked.load_balancer
    annotations: dict[str, str] = {}
    if balancer is not None:
        own = {"type": "external"} if balancer.class_ is None else {}
        own |= {"scheme": balancer.scheme, "nlb-target-type": balancer.target_type}
        if balancer.class_ != AUTO_MODE:
            # A Network Load Balancer cuts a quiet stream after 350 s without a word.
            own[f"listener-attributes.TCP-{PORT}"] = f"tcp.idle_timeout.seconds={seconds(asked.idle_timeout)}"
        prefix = table("nlb.toml")["prefix"]
        annotations = {f"{prefix}aws-load-balancer-{name}": value for name, value in own.items()}
        annotations |= balancer.annotations
    return GatewayPlan(
        provider=asked.provider,
        settings=settings,
        service_type="LoadBalancer" if balancer else "ClusterIP",
        annotations=annotations,
        balancer_class=balancer.class_ if balancer else None,
    )
