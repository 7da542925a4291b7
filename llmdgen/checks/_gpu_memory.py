"""What a role's GPUs hold when the estimates err in its favour, and what else would hold the model: instance types with
more room, smaller checkpoints of it.

Errors rest on the favourable figures, so that a spec which might start is never refused for an estimate. A fix that
names types can be applied as it stands; "use larger GPUs" sends its reader to the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, structs

from llmdgen.engine.memory import (
    Memory,
    as_loaded,
    experts_divide,
    margin,
    memory,
    redundant_experts,
    resident_ratio,
    weights_per_gpu,
)
from llmdgen.engine.numbers import decimal, whole
from llmdgen.engine.profile import usable
from llmdgen.engine.size import Size
from llmdgen.facts.types import Instance, ModelFacts
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.quantities import GIB

CONTEXT_STEP = 1024
_WEIGHTS = 0.75  # of the budget at most: a quarter is left for KV cache
_WEIGHTS = 0.9  # of the budget at most, so that requests find room
_MOST_NODES = 16  # of one replica: what a reader would try before another model
_QUANTISED = re.compile(r"-(FP8|NVFP4|MXFP4|INT8|INT4|AWQ|GPTQ)(-dynamic)?$", re.IGNORECASE)


class Favourable(Struct, frozen=True):
    """One GPU with weights as large as measured or as their file, and the estimate's error in the role's favour: bytes
    of weights, what is left of the budget for the KV cache (negative where nothing is), and the tokens of one request
    that it holds."""

    weights: int
    left: int
    tokens: int


def loaded(plan: Plan) -> Iterator[tuple[RolePlan, ModelFacts, Memory]]:
    """Roles whose GPU memory is known, with the model as the role loads it. A share of the memory that cannot be is
    another rule's."""
    for role in plan.roles:
        share = role.flags.get("gpu-memory-utilization", 1)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            continue
        if plan.model is not None and role.memory_use is not None:
            yield role, as_loaded(plan.model, role.flags), role.memory_use


def favourable(plan: Plan, role: RolePlan, model: ModelFacts, use: Memory) -> Favourable:
    """The role's GPU memory at its best."""
    quantised = "quantization" in role.flags and model.weight_dtype.startswith("BF16")
    ratio = model.resident_weights or 1.0
    in_cpu = int(decimal(role.flags.get("cpu-offload-gb", 0), 0) * GIB)
    held = max(0, int(weights_per_gpu(model, role.size, redundant_experts(role.flags)) * ratio) - in_cpu)
    weights = held // (4 if quantised else 1)
    fixed = whole(role.flags.get("kv-cache-memory-bytes"), 0)
    if fixed:
        left = fixed if use.gpu >= weights + spared(plan, role, use) + fixed else -1
    else:
        left = use.budget - weights - spared(plan, role, use)
    return Favourable(weights, left, use.tokens_in(left))


def spared(plan: Plan, role: RolePlan, use: Memory) -> int:
    """What vLLM takes beside weights and KV cache, where the estimate errs in the role's favour: by its margin, and by
    half, because no log of these very versions was found. What only this forgives is a warning (MOD005)."""
    return max(0, min(use.activations - margin(role.size, plan.engine), use.activations // 2))


def resized(size: Size, tensor: int) -> Size:
    """The same role with another tensor parallel size."""
    return structs.replace(size, tensor=tensor)


def memory_with(plan: Plan, role: RolePlan, size: Size | None = None, **flags: int) -> Memory | None:
    """The role's memory at another size or with other flags, written with _."""
    if plan.model is None:
        return None
    args = role.flags | {name.replace("_", "-"): value for name, value in flags.items()}
    return memory(plan.model, role.node.instance, size or role.size, plan.engine, args)


def tensor_that_holds(plan: Plan, role: RolePlan, model: ModelFacts, tokens: int) -> int | None:
    """The smallest larger tensor parallel size on the role's node whose GPUs hold the weights and this many tokens."""
    tensor = role.size.tensor * 2
    while tensor * role.size.data_local <= role.node.gpus:
        size = resized(role.size, tensor)
        use = memory_with(plan, role, size)
        divides = fits_heads(model, tensor) and (size.expert or experts_divide(model, tensor * size.data))
        if divides and use is not None and use.kv - use.margin >= use.window + tokens * use.kv_bytes_per_token:
            return tensor
        tensor *= 2
    return None


def fits_heads(model: ModelFacts, tensor: int) -> bool:
    """Whether attention heads divide by this size, and KV heads divide by it or it by them."""
    if model.attention_heads % tensor:
        return False
    return bool(model.mla) or model.kv_heads % tensor == 0 or tensor % model.kv_heads == 0


def types_that_hold(plan: Plan, model: ModelFacts) -> list[str]:
    """The instance types, smallest memory first, whose GPUs of one node hold the weights with a quarter left over."""
    share = plan.engine["gpu_memory_utilization"] * _WEIGHTS
    weights = model.weight_bytes * resident_ratio(model, plan.engine)
    return [row.name for row in suited(plan) if usable(row.gpu) * row.gpu.count * share >= weights]


def step_down(tokens: int) -> int:
    """A context length that a reviewer would write: a multiple of 1024, not more than this."""
    return tokens // CONTEXT_STEP * CONTEXT_STEP


def types_with_room(plan: Plan, role: RolePlan, use: Memory, kv: int) -> list[str]:
    """The instance types on which each GPU of a role has this many bytes left for its KV cache, smallest first.

    The role keeps its size, so that its weights on each GPU stay what they are.
    """
    share = use.budget / use.gpu

    def has_room(row: Instance) -> bool:
        budget = int(usable(row.gpu) * share)
        reaches = row.efa.rdma or not role.efa_per_pod
        return reaches and row.gpu.count >= role.size.gpus_per_pod and budget - use.weights - use.activations >= kv

    return [row.name for row in suited(plan) if row.name != role.node.instance.name and has_room(row)]


def types_to_spread_over(plan: Plan, role: RolePlan, model: ModelFacts) -> list[str]:
    """The instance types over some nodes of which the experts of a model leave room, smallest first."""
    use = role.memory_use
    spare = use.activations if use else 0

    def holds(row: Instance) -> bool:
        budget = int(usable(row.gpu) * plan.engine["gpu_memory_utilization"])
        size = structs.replace(role.size, workers=_MOST_NODES, data_local=row.gpu.count // role.size.tensor)
        size = structs.replace(size, data=_MOST_NODES * size.data_local)
        return weights_per_gpu(model, size) * resident_ratio(model, plan.engine) + spare < budget * _WEIGHTS

    def spreads(row: Instance) -> bool:
        """Servers of several nodes run well on it: several ranks in a node, and EFA that reaches GPU memory."""
        return row.gpu.count >= 2 * role.size.tensor and row.efa.rdma and bool(row.efa.gpudirect)

    return [row.name for row in suited(plan) if spreads(row) and holds(row)]


def suited(plan: Plan) -> Iterator[Instance]:
    """The instance types that the plan's platform and images run on, those with the least GPU memory first."""
    from llmdgen.facts import catalogue

    hyperpod = plan.spec.asked.platform == "hyperpod"
    rows = [catalogue.instance(name) for name in catalogue.instance_names()]
    for row in sorted(rows, key=lambda row: (usable(row.gpu) * row.gpu.count, row.name)):
        runs = row.kind == "instance" and row.gpu.count and row.architecture in plan.server.architectures
        if runs and (row.hyperpod or not hyperpod):
            yield row


def smaller_checkpoints(model: ModelFacts) -> list[str]:
    """The known checkpoints of the same model with fewer bytes, largest first."""
    from llmdgen.facts import catalogue

    rows = [catalogue.model(name) for name in catalogue.model_names()]
    same = [row for row in rows if _base(row.id) == _base(model.id) and row.weight_bytes < model.weight_bytes]
    return [row.id for row in sorted(same, key=lambda row: -row.weight_bytes)]


def _base(identity: str) -> str:
    """A model's name without its owner and its quantisation: nvidia/GLM-5-NVFP4 is GLM-5."""
    return _QUANTISED.sub("", identity.rpartition("/")[2]).lower()
