"""The HTTPRoute from the Gateway to the InferencePool."""

from __future__ import annotations

from typing import Any

from llmdgen.planning.model import Plan


def http_route(plan: Plan) -> dict[str, Any]:
    """Every path to the pool. The inferencepool chart's own route would end every answer after 300 seconds."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": plan.names.route, "namespace": plan.names.namespace},
        "spec": {
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": plan.names.gateway}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "backendRefs": [
                        {
                            "group": "inference.networking.k8s.io",
                            "kind": "InferencePool",
                            "name": plan.names.pool,
                            "port": plan.engine["ports"]["service"],
                            "weight": 1,
                        }
                    ],
                    "timeouts": {"request": "0s", "backendRequest": "0s"},
                }
            ],
        },
    }
