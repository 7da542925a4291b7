"""The names by which the objects of a deployment find each other."""

from __future__ import annotations

import re
from typing import Any, Literal

from msgspec import Struct

from llmdgen.spec.fields import ROLES
from llmdgen.spec.model import Spec

MODEL_LABEL_LENGTH = 63
RoleName = Literal["prefill", "decode"]


class Names(Struct, frozen=True, kw_only=True):
    """Every name that one object uses for another. `router` and `servers` are the two Helm releases."""

    router: str
    servers: str
    namespace: str
    gateway: str
    gateway_service: str
    pool: str
    scheduler_service: str
    route: str
    account: str
    workload: dict[RoleName, str]
    metrics_secret: str


def names(spec: Spec, gateway: dict[str, Any]) -> Names:
    """Everything is called after the deployment; the router's chart adds -epp to its release for the scheduler."""
    name = spec.name
    router, gateway_name = f"{name}-router", f"{name}-gateway"
    return Names(
        router=router,
        servers=f"{name}-servers",
        namespace=spec.namespace,
        gateway=gateway_name,
        gateway_service=gateway_name + gateway["service_suffix"],
        pool=router,
        scheduler_service=f"{router}-epp",
        route=name,
        account=name,
        workload={role: f"{name}-{role}" for role in ROLES},
        metrics_secret=f"{router}-metrics-reader",
    )


def labels(spec: Spec) -> dict[str, str]:
    """Labels of every model server. They become the Deployment's selector, which Kubernetes never lets change."""
    return {
        "llm-d.ai/inference-serving": "true",
        "llm-d.ai/guide": spec.asked.path,
        "llm-d.ai/deployment": spec.name,
        "llm-d.ai/model": model_label(spec.asked.model.name),
        "llm-d.ai/accelerator-variant": "gpu",
        "llm-d.ai/accelerator-vendor": "nvidia",
    }


def model_label(name: str) -> str:
    """A model's name as a label value: its last part, with what labels do not allow replaced."""
    last = name.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9_.-]", "-", last)[:MODEL_LABEL_LENGTH].strip("-_.") or "model"
