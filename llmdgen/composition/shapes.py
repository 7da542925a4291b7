"""Role shapes that several paths share: how a path sizes a role from the model and the hardware."""

from __future__ import annotations

from llmdgen.composition.contribution import Shape, Situation
from llmdgen.composition.names import RoleName
from llmdgen.engine.memory import experts_divide, smallest_tensor
from llmdgen.facts.types import Instance

# Weights may take this much of the GPU's budget, so that the KV cache has room. A prefill server holds few requests.
ROOMY = 0.6
TIGHT = 0.92


def roomy_tensor(situation: Situation, role: RoleName) -> int:
    """Tensor parallel size that leaves a good part of GPU memory to the KV cache; 1 for a model without facts."""
    return _tensor(situation, role, ROOMY)


def tight_tensor(situation: Situation, role: RoleName) -> int:
    """The smallest tensor parallel size whose weights fit; 1 for a model without facts."""
    return _tensor(situation, role, TIGHT)


def full_node(instance: Instance, gpus: int) -> int:
    """Replicas of so many GPUs that fill a node, at least two, so that the scheduler has a choice."""
    return max(2, instance.gpu.count // gpus)


def whole_model_servers(situation: Situation, path: str) -> dict[RoleName, Shape]:
    """Decode servers that each hold the whole model, as many as fill a node at the parallelism of the spec."""
    asked = situation.spec.asked.decode.parallelism
    tensor = asked.tensor or roomy_tensor(situation, "decode")
    ranks = asked.data or (asked.data_local or 1) * (asked.workers or 1)
    replicas = full_node(situation.instances["decode"], tensor * ranks)
    return {"decode": shape(situation, path, "decode", tensor=tensor, replicas=replicas)}


def shape(situation: Situation, path: str, role: RoleName, *, tensor: int, replicas: int | None = None) -> Shape:
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


def _tensor(situation: Situation, role: RoleName, share: float) -> int:
    if situation.model is None:
        return 1
    instance = situation.instances[role]
    tensor = smallest_tensor(situation.model, instance, situation.engine, share)
    return min(tensor << situation.doubled.get(role, 0), max(tensor, instance.gpu.count))
