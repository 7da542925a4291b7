"""What paths share: how they size a role from the model and the hardware, and what their settings add to a plan."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Contribution, Shape, Situation
from llmdgen.composition.names import RoleName
from llmdgen.engine.memory import experts_divide, smallest_tensor

# Weights may take this much of the GPU's budget, so that the KV cache has room. A prefill server holds few requests.
ROOMY = 0.6
TIGHT = 0.92


def contribution(situation: Situation, path: str, *, args: dict[str, Any] | None = None, **more: Any) -> Contribution:
    """What a path's settings of the release add, and what the path itself does: further `args`, other fields."""
    settings = situation.settings[path]
    flags = {**settings["args"], **(args or {})}
    own = {
        "block_size": flags.pop("block-size", None),
        "scheduling": situation.scheduler.paths[path],
        "startup_minutes": settings["startup_minutes"],
    }
    return Contribution(path=path, args=flags, **(own | more))


def whole_model_servers(situation: Situation, path: str) -> dict[RoleName, Shape]:
    """Decode servers that each hold the whole model, as many as fill a node at the parallelism of the spec."""
    asked = situation.spec.asked.decode.parallelism
    size = asked.tensor or tensor(situation, "decode", ROOMY)
    ranks = asked.data or (asked.data_local or 1) * (asked.workers or 1)
    # At least two, so that the scheduler has a choice.
    replicas = max(2, situation.instances["decode"].gpu.count // (size * ranks))
    return {"decode": shape(situation, path, "decode", size, replicas)}


def shape(situation: Situation, path: str, role: RoleName, tensor: int, replicas: int | None = None) -> Shape:
    """A role as `path`'s settings describe it, on one pod each; `replicas` where they leave the number open.

    Experts that cannot be cut into slices are spread whole.
    """
    settings = situation.settings[path]["roles"][role]
    return Shape(
        replicas=settings["replicas"] if replicas is None else replicas,
        tensor=tensor,
        expert=situation.model is not None and not experts_divide(situation.model, tensor),
        cpu=settings["cpu"],
        memory=settings["memory"],
        shm=settings["shm"],
    )


def tensor(situation: Situation, role: RoleName, share: float) -> int:
    """The smallest tensor parallel size whose weights take no more than this share of the GPU's budget, as often
    doubled as the situation says; 1 for a model without facts."""
    if situation.model is None:
        return 1
    instance = situation.instances[role]
    size = smallest_tensor(situation.model, instance, situation.engine, share)
    return min(size << situation.doubled.get(role, 0), max(size, instance.gpu.count))
