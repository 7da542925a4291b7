"""pd-disaggregation: prefill servers compute the prompt and send its KV cache over EFA to decode servers."""

from __future__ import annotations

from msgspec import structs

from llmdgen.composition.connectors import nixl, transfer_args, transfer_environment
from llmdgen.composition.contribution import Contribution, Shape, Situation
from llmdgen.composition.names import RoleName
from llmdgen.composition.shapes import TIGHT, contribution, shape, tensor
from llmdgen.engine.size import Size

NAME = "pd-disaggregation"
RANK = 20


def shapes(situation: Situation) -> dict[RoleName, Shape]:
    """Many small prefill servers and a large decode server, as in AWS's own recipe (4 x TP1 and 1 x TP4)."""
    asked = situation.spec.asked.prefill
    asked_for = asked.parallelism.tensor if asked else None
    prefill = asked_for or tensor(situation, "prefill", TIGHT)
    wider = situation.settings[NAME]["decode_tensor_over_prefill"]
    own = asked_for or tensor(structs.replace(situation, doubled={}), "prefill", TIGHT)
    decode = min(max(tensor(situation, "decode", TIGHT), own * wider), situation.instances["decode"].gpu.count or 1)
    sizes: dict[RoleName, int] = {"prefill": prefill, "decode": decode}
    return {role: shape(situation, NAME, role, size) for role, size in sizes.items()}


def contribute(situation: Situation, sizes: dict[RoleName, Size]) -> Contribution:
    """NIXL on both ends, the side channel on the pod's own address, and a decider in the scheduler."""
    asked = situation.spec.asked.scheduler.non_cached_tokens
    return contribution(
        situation,
        NAME,
        args=transfer_args(situation),
        env=transfer_environment(situation),
        connectors=(nixl(situation),),
        non_cached_tokens=situation.settings[NAME]["non_cached_tokens"] if asked is None else asked,
        crosses_pods=True,
    )
