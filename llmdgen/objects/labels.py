"""Labels and metadata: by what the objects of a deployment find each other, and people find them."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.names import RoleName
from llmdgen.planning.model import Plan

DEPLOYMENT = "llm-d.ai/deployment"
ROLE = "llm-d.ai/role"


def metadata(plan: Plan, name: str) -> dict[str, Any]:
    """Name, namespace and the label by which all objects of a deployment are found."""
    return {"name": name, "namespace": plan.names.namespace, "labels": {DEPLOYMENT: plan.spec.name}}


def pod_labels(plan: Plan, role: RoleName) -> dict[str, str]:
    """All labels of a role's pods."""
    return plan.labels | {ROLE: role}


def selector(plan: Plan, role: RoleName) -> dict[str, str]:
    """The labels that tell a role's pods from all others. Kubernetes never lets a workload's selector change, so it
    holds nothing that a spec may change."""
    return {DEPLOYMENT: plan.spec.name, ROLE: role}


def pool_selector(plan: Plan) -> dict[str, str]:
    """The labels by which the pool finds the model servers of both roles."""
    return {DEPLOYMENT: plan.spec.name, "llm-d.ai/inference-serving": "true"}
