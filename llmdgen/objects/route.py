"""The HTTPRoute from the Gateway to the InferencePool."""

from __future__ import annotations

from llmdgen.objects.labels import metadata
from llmdgen.objects.object import Object
from llmdgen.planning.model import Plan


def http_route(plan: Plan) -> Object:
    """Every path to the pool. The router charts' own routes end every answer after 300 seconds."""
    pool = {
        "group": "inference.networking.k8s.io",
        "kind": "InferencePool",
        "name": plan.names.pool,
        "weight": 1,
    }
    return Object(
        file="route.yaml",
        doc={
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": metadata(plan, plan.names.route),
            "spec": {
                "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": plan.names.gateway}],
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                        "backendRefs": [pool],
                        "timeouts": {"request": "0s", "backendRequest": "0s"},
                    }
                ],
            },
        },
        comments={("spec", "rules", 0, "timeouts"): "Without a time limit: answers stream for as long as they take."},
    )
