"""What a role's GPUs hold when the estimates err in its favour, and what else would hold the model: instance types with
more room, smaller checkpoints of it.

Errors rest on the favourable figures, so that a spec which might start is never refused for an estimate. A fix that
names types can be applied as it stands; "use larger GPUs" sends its reader to the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import structs

from llmdgen.engine.memory import (
    Memory,
    as_loaded,
    experts_divide,
    margin,
    memory,
    redundant_experts,
    weights_per_gpu,
)
from llmdgen.engine.numbers import decimal, whole
from llmdgen.engine.profile import usable
from llmdgen.engine.size import Size
from llmdgen.facts.types import Instance, ModelFacts
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.quantities import GIB

_QUANTISED = re.compile(r"-(FP8|NVFP4|MXFP4|INT8|INT4|AWQ|GPTQ)(-dynamic)?$", re.IGNORECASE)


def loaded(plan: Plan) -> Iterator[tuple[RolePlan, ModelFacts, Memory]]:
    """Roles whose GPU memory is known, with the model as the role loads it. An impossible share is another rule's."""
    for role in plan.roles:
        share = role.flags.get("gpu-memory-utilization", 1)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            continue
        if plan.model is not None and role.memory_use is not None:
            yield role, as_loaded(plan.model, role.flags), role.memory_use


def favourable(plan: Plan, role: RolePlan, model: ModelFacts, use: Memory) -> tuple[int, int]:
    """On one GPU, with weights as large as measured or as their file and the estimate's error in the role's favour:
    bytes of weights, and what is left for the KV cache, negative where nothing is."""
    quantised = "quantization" in role.flags and model.weight_dtype.startswith("BF16")
    ratio = model.resident_weights or 1.0
    in_cpu = int(decimal(role.flags.get("cpu-offload-gb", 0), 0) * GIB)
    held = max(0, int(weights_per_gpu(model, role.size, redundant_experts(role.flags)) * ratio) - in_cpu)
    weights = held // (4 if quantised else 1)
    fixed = whole(role.flags.get("kv-cache-memory-bytes"), 0)
    free = (use.gpu if fixed else use.budget) - weights - spared(plan, role, use)
    return weights, (fixed if free >= fixed else -1) if fixed else free


def spared(plan: Plan, role: RolePlan, use: Memory) -> int:
    """What vLLM takes beside weights and KV cache, where the estimate errs in the role's favour: by its margin, and by
    half, because no log of these very versions was found. What only this forgives is a warning (MOD005)."""
    return max(0, min(use.activations - margin(role.size, plan.engine), use.activations // 2))


def memory_with(plan: Plan, role: RolePlan, size: Size | None = None, **flags: int) -> Memory | None:
    """The role's memory at another size or with other flags, written with _."""
    if plan.model is None:
        return None
    args = role.flags | {name.replace("_", "-"): value for name, value in flags.items()}
    return memory(plan.model, role.node.instance, size or role.size, plan.engine, args)


def first_that_holds(plan: Plan, role: RolePlan, sizes: Iterable[Size], tokens: int) -> Size | None:
    """The first of these sizes at which the role's GPUs surely hold the weights and one request of so many tokens."""
    for size in sizes:
        use = memory_with(plan, role, size)
        if use is not None and use.kv - use.margin >= use.window + tokens * use.kv_bytes_per_token:
            return size
    return None


def wider(role: RolePlan, model: ModelFacts) -> Iterator[Size]:
    """The role's size with more and more tensor parallelism, as far as its node has GPUs and the model divides."""
    tensor = role.size.tensor * 2
    while tensor * role.size.data_local <= role.node.gpus:
        if fits_heads(model, tensor) and (role.size.expert or experts_divide(model, tensor * role.size.data)):
            yield structs.replace(role.size, tensor=tensor)
        tensor *= 2


def fits_heads(model: ModelFacts, tensor: int) -> bool:
    """Whether attention heads divide by this size, and KV heads divide by it or it by them."""
    if model.attention_heads % tensor:
        return False
    return bool(model.mla) or model.kv_heads % tensor == 0 or tensor % model.kv_heads == 0


def types_that_start(plan: Plan, role: RolePlan, size_on: Callable[[Instance], Size]) -> list[str]:
    """Other instance types of the platform on which the role surely starts at the size that it would have there, those
    with the least GPU memory first."""
    from llmdgen.facts import catalogue

    def starts(row: Instance) -> bool:
        runs = row.kind == "instance" and row.gpu.count and row.architecture in plan.server.architectures
        offered = row.hyperpod or plan.spec.asked.platform != "hyperpod"
        if not runs or not offered or row.name == role.node.instance.name or plan.model is None:
            return False
        size = size_on(row)
        if size.workers > 1 and (size.data_local < 2 or not row.efa.gpudirect):
            return False  # a server of several pods has several ranks in each, and reads GPU memory over EFA
        if row.gpu.count < size.gpus_per_pod or (role.efa_per_pod and not row.efa.rdma):
            return False
        use = memory(plan.model, row, size, plan.engine, role.flags)
        return use is not None and use.starts

    rows = map(catalogue.instance, catalogue.instance_names())
    return [
        row.name for row in sorted(rows, key=lambda row: (usable(row.gpu) * row.gpu.count, row.name)) if starts(row)
    ]


def smaller_checkpoints(model: ModelFacts) -> list[str]:
    """The known checkpoints of the same model with fewer bytes, largest first."""
    from llmdgen.facts import catalogue

    rows = [catalogue.model(name) for name in catalogue.model_names()]
    same = [row for row in rows if _base(row.id) == _base(model.id) and row.weight_bytes < model.weight_bytes]
    return [row.id for row in sorted(same, key=lambda row: -row.weight_bytes)]


def _base(identity: str) -> str:
    """A model's name without its owner and its quantisation: nvidia/GLM-5-NVFP4 is GLM-5."""
    return _QUANTISED.sub("", identity.rpartition("/")[2]).lower()
