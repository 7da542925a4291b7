"""What else would do: instance types with more room, and smaller checkpoints of the same model.

A fix that names them can be applied as it stands; "use larger GPUs" sends its reader to the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import structs

from llmdgen.engine.memory import Memory, resident_ratio, weights_per_gpu
from llmdgen.engine.profile import usable
from llmdgen.facts.types import Instance, ModelFacts
from llmdgen.planning.model import Plan, RolePlan

_WEIGHTS = 0.9  # of the budget at most, so that requests find room
_MOST_NODES = 16  # of one replica: what a reader would try before another model
_QUANTISED = re.compile(r"-(FP8|NVFP4|MXFP4|INT8|INT4|AWQ|GPTQ)(-dynamic)?$", re.IGNORECASE)


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
