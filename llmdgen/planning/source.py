"""Where a model's weights come from, and what `vllm serve` is told of it."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import EnvVar, Volume
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
    """The model argument of `vllm serve`: a repository, or a path on the mounted claim."""
    protocol, _, rest = uri(model).partition("://")
    if protocol == "pvc":
        return f"{MOUNT_PATH}/{rest.partition('/')[2]}"
    if protocol == "pvc+hf":
        return "/".join(rest.split("/")[-2:])
    return rest


def weights(model: Model, facts: ModelFacts | None) -> Volume:
    """The volume that holds the weights: the spec's claim, or a directory of the node that each pod fills itself."""
    protocol, _, rest = uri(model).partition("://")
    if protocol.startswith("pvc"):
        source: dict[str, Any] = {"persistentVolumeClaim": {"claimName": rest.partition("/")[0], "readOnly": True}}
    else:
        size = volume_size(model, facts)
        source = {"emptyDir": {"sizeLimit": size} if size else {}}
    return Volume(name="model-storage", mount_path=MOUNT_PATH, source=source, read_only=protocol == "pvc")


def hub_environment(model: Model) -> tuple[EnvVar, ...]:
    """Where the Hugging Face hub's client finds and keeps weights, and with which token it asks for them."""
    protocol, _, rest = uri(model).partition("://")
    found = []
    if protocol == "hf":
        found.append(EnvVar(name="HF_HOME", value=MOUNT_PATH))
    if protocol == "pvc+hf":
        # Asked for a newer revision, the client would want to write to the claim, which is mounted read-only.
        found.append(EnvVar(name="HF_HUB_OFFLINE", value="1"))
        found.append(EnvVar(name="HF_HUB_CACHE", value="/".join([MOUNT_PATH, *rest.split("/")[1:-2]])))
    if model.auth_secret_name:
        found.append(EnvVar(name="HF_TOKEN", secret=model.auth_secret_name))
    return tuple(found)


def volume_size(model: Model, facts: ModelFacts | None) -> str | None:
    """The size of each pod's model volume; None for a claim, which has its own, and where nobody knows."""
    if uri(model).startswith("pvc"):
        return None
    if model.size or facts is None:
        return model.size
    needed = (facts.repository_bytes or facts.weight_bytes) * VOLUME_OVER_WEIGHTS
    return f"{-(-int(needed / GIB) // ROUND_GIB) * ROUND_GIB}Gi"
