"""Where a model's weights come from, and what `vllm serve` is told of it."""

from __future__ import annotations

from llmdgen.facts.types import ModelFacts
from llmdgen.quantities import GIB
from llmdgen.spec.model import Model

MOUNT_PATH = "/model-cache"
VOLUME_OVER_WEIGHTS = 1.25  # room for tokenizer files and a half-written download
ROUND_GIB = 10


def uri(model: Model) -> str:
    """The model's uri; the Hugging Face repository of its name where the spec gives none."""
    return model.uri or f"hf://{model.name}"


def argument(model: Model) -> str:
    """The model argument that the chart makes of the uri: a repository, or a path on the mounted claim."""
    protocol, _, rest = uri(model).partition("://")
    if protocol == "pvc":
        return f"{MOUNT_PATH}/{rest.partition('/')[2]}"
    if protocol == "pvc+hf":
        return "/".join(rest.split("/")[-2:])
    return rest


def volume_size(model: Model, facts: ModelFacts | None) -> str | None:
    """The size of each pod's model volume; None for a claim, which has its own, and where nobody knows."""
    if model.size:
        return model.size
    if uri(model).startswith("pvc") or facts is None:
        return None
    needed = (facts.repository_bytes or facts.weight_bytes) * VOLUME_OVER_WEIGHTS
    return f"{-(-int(needed / GIB) // ROUND_GIB) * ROUND_GIB}Gi"
