"""The names by which the objects of a deployment find each other, as the charts make them."""

from __future__ import annotations

import re
from typing import Any

from llmdgen.composition.contribution import RoleName, Situation
from llmdgen.planning.model import Names

MODEL_LABEL_LENGTH = 63


def names(situation: Situation, gateway: dict[str, Any], roles: tuple[RoleName, ...]) -> Names:
    """Releases infra-, gaie- and ms-<name> and everything that is called after them."""
    name = situation.spec.name
    gateway_name = f"infra-{name}-inference-gateway"
    return Names(
        infra=f"infra-{name}",
        gaie=f"gaie-{name}",
        ms=f"ms-{name}",
        namespace=situation.spec.namespace,
        gateway=gateway_name,
        gateway_service=gateway_name + gateway["service_suffix"],
        pool=f"gaie-{name}",
        scheduler_service=f"gaie-{name}-epp",
        route=f"llm-d-{name}",
        workload={role: f"ms-{name}-llm-d-modelservice-{role}" for role in roles},
        metrics_secret=f"gaie-{name}-metrics-reader",
    )


def labels(situation: Situation) -> dict[str, str]:
    """Labels of every model server. They become the Deployment's selector, which Kubernetes never lets change."""
    return {
        "llm-d.ai/inference-serving": "true",
        "llm-d.ai/guide": situation.paths[0],
        "llm-d.ai/deployment": situation.spec.name,
        "llm-d.ai/model": model_label(situation.spec.spec.model.name),
        "llm-d.ai/accelerator-variant": "gpu",
        "llm-d.ai/accelerator-vendor": "nvidia",
    }


def model_label(name: str) -> str:
    """A model's name as a label value: its last part, with what labels do not allow replaced."""
    last = name.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9_.-]", "-", last)[:MODEL_LABEL_LENGTH].strip("-_.") or "model"
