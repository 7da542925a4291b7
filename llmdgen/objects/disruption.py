"""How many model servers may be taken away at once, for drains of nodes."""

from __future__ import annotations

from llmdgen.objects.labels import metadata, selector
from llmdgen.objects.object import Object
from llmdgen.planning.model import Plan, RolePlan


def disruption_budget(plan: Plan, role: RolePlan) -> Object:
    """One server at a time: all pods of one where it spreads over several, since one lost pod ends its group. Never
    none, which would block the drain of a node for ever."""
    return Object(
        file=f"{role.name}-disruption-budget.yaml",
        doc={
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(plan, plan.names.workload[role.name]),
            "spec": {
                "maxUnavailable": role.size.workers,
                "selector": {"matchLabels": selector(plan, role.name)},
            },
        },
    )
