"""wide-ep: a mixture of experts over all GPUs of several nodes, data parallel attention and expert parallel layers."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from llmdgen.composition.connectors import nixl, transfer_args, transfer_environment, transfers_linear_state
from llmdgen.composition.contribution import Contribution, Shape, Situation, variables
from llmdgen.composition.names import RoleName
from llmdgen.composition.shapes import ROOMY, contribution, shape
from llmdgen.engine.memory import roomy_weights, weights_per_gpu
from llmdgen.engine.size import Size
from llmdgen.facts.types import ModelFacts
from llmdgen.quantities import MIB

NAME = "wide-ep"
RANK = 30
MOST_NODES = 32
FEWEST_BATCHED_TOKENS, MOST_BATCHED_TOKENS = 128, 8192


def shapes(situation: Situation) -> dict[RoleName, Shape]:
    """One prefill and one decode replica, each over as many whole nodes as leave the KV cache room.

    Where vLLM cannot transfer the KV cache of linear attention, such a model is served by decode alone, unless the spec
    asks for prefill servers itself.
    """
    roles: tuple[RoleName, ...] = ("prefill", "decode")
    model = situation.model
    asked = situation.spec.asked.prefill is not None or "pd-disaggregation" in situation.paths
    if model is not None and model.layers.linear and not asked and not transfers_linear_state(situation):
        roles = ("decode",)
    gpus = {role: max(1, situation.instances[role].gpu.count) for role in roles}
    nodes = {role: _nodes(situation, role) for role in roles}
    one = {role: replace(shape(situation, NAME, role, 1), expert=True) for role in roles}
    return {role: replace(one[role], data_local=gpus[role], workers=nodes[role]) for role in roles}


def contribute(situation: Situation, sizes: dict[RoleName, Size]) -> Contribution:
    """Expert parallelism over NCCL and aws-ofi-nccl, EPLB where the model has it, NIXL where both roles are there."""
    settings = situation.settings[NAME]
    disaggregated, spans_nodes = "prefill" in sizes, any(size.workers > 1 for size in sizes.values())
    minutes = situation.engine.get("timeouts", {}).get("handshake", 0) // 60
    says = f"the engines of a replica give up where its nodes start more than {minutes} minutes apart"
    return contribution(
        situation,
        NAME,
        args=transfer_args(situation) if disaggregated else {},
        role_args={role: _role_args(situation, role, size) for role, size in sizes.items()},
        env=variables(settings["env"]) + (transfer_environment(situation) if disaggregated else ()),
        connectors=(nixl(situation),) if disaggregated else (),
        non_cached_tokens=situation.spec.asked.scheduler.non_cached_tokens or 0 if disaggregated else None,
        prefiller_sampling=disaggregated,
        supervised=settings.get("load_balancing") == "supervisor",
        crosses_pods=disaggregated or spans_nodes,
        notes=(f"{says}: have the image on all of them before",) if minutes and spans_nodes else (),
    )


def redundant_experts(routed: int, expert_parallel: int, share: float) -> int:
    """Copies of hot experts: at least `share` of the routed ones, and as many as make both together divisible by the
    expert parallel size, which vLLM asks for."""
    wanted = routed + int(routed * share)
    return -(-wanted // expert_parallel) * expert_parallel - routed


def has_eplb(model: ModelFacts, table: dict[str, Any]) -> bool:
    """Whether vLLM can balance the model's experts, by the release's [eplb] in engine.toml."""
    dtypes = tuple(table["weight_dtypes"])
    return model.architecture in table["architectures"] and model.weight_dtype.startswith(dtypes)


def _nodes(situation: Situation, role: RoleName) -> int:
    """Nodes of one replica, a power of two: the fewest on which the weights leave the KV cache room."""
    model, instance = situation.model, situation.instances[role]
    if model is None or instance.gpu.memory_mib is None or not instance.gpu.count:
        return 2
    gpus = instance.gpu.count
    room = instance.gpu.memory_mib * MIB * situation.engine["gpu_memory_utilization"] * ROOMY
    nodes = 1
    while nodes < MOST_NODES:
        size = Size(replicas=1, tensor=1, data=gpus * nodes, data_local=gpus, workers=nodes, expert=True)
        extra = _redundant(situation, role, size)
        if weights_per_gpu(model, size, extra) * roomy_weights(model, situation.engine) <= room:
            break
        nodes *= 2
    return min(nodes << situation.doubled.get(role, 0), MOST_NODES)


def _redundant(situation: Situation, role: RoleName, size: Size) -> int:
    """Copies of experts that the role keeps; none where the spec switches their balancing off."""
    model, own = situation.model, situation.spec.role(role).args
    off = {**situation.spec.asked.engine.args, **own}.get("enable-eplb") is False
    if model is None or model.experts is None or not size.expert or off:
        return 0
    if not has_eplb(model, situation.engine["eplb"]):
        return 0
    share = situation.settings[NAME]["redundant_experts_share"]
    return redundant_experts(model.experts.routed, size.expert_parallel, share)


def _role_args(situation: Situation, role: RoleName, size: Size) -> dict[str, Any]:
    settings = situation.settings[NAME]
    args: dict[str, Any] = dict(settings["decode_args"]) if role == "decode" else {}
    over_ranks = settings.get("batched_tokens_over_ranks")
    if over_ranks:
        args["max-num-batched-tokens"] = min(MOST_BATCHED_TOKENS, max(FEWEST_BATCHED_TOKENS, over_ranks // size.data))
    extra = _redundant(situation, role, size)
    if extra:
        args["enable-eplb"] = True
        args["eplb-config"] = {**settings["eplb"], "num_redundant_experts": extra}
    return args
