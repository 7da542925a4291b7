"""The Service behind which model servers turn prompts into tokens for the scheduler."""

from __future__ import annotations

from llmdgen.objects.container import NAME
from llmdgen.objects.labels import metadata, selector
from llmdgen.objects.object import Object
from llmdgen.planning.model import Plan


def render_service(plan: Plan, name: str) -> Object:
    """Every decode server answers: the port is named, because behind a routing sidecar it is another number."""
    return Object(
        file="render-service.yaml",
        doc={
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(plan, name),
            "spec": {
                "selector": selector(plan, "decode"),
                "ports": [{"name": "http", "port": plan.engine["ports"]["service"], "targetPort": NAME}],
            },
        },
    )
