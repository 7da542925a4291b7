"""What Prometheus scrapes: a PodMonitor for each role."""

from __future__ import annotations

from llmdgen.objects.container import METRICS_PATH, NAME, rank_name
from llmdgen.objects.labels import metadata, selector
from llmdgen.objects.object import Object
from llmdgen.planning.model import Plan, RolePlan

INTERVAL = "30s"


def pod_monitor(plan: Plan, role: RolePlan) -> Object:
    """vLLM's metrics of a role's pods."""
    about = metadata(plan, plan.names.workload[role.name])
    about["labels"] = plan.spec.spec.monitoring.labels | about["labels"]
    return Object(
        file=f"{role.name}-monitor.yaml",
        doc={
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": about,
            "spec": {
                "selector": {"matchLabels": selector(plan, role.name)},
                "podMetricsEndpoints": [
                    {"port": rank_name(NAME, rank), "path": METRICS_PATH, "interval": INTERVAL}
                    for rank in range(role.ranks)
                ],
            },
        },
        origin={("metadata", "labels"): ("spec", "monitoring", "labels")},
    )
