"""Defaults that start: where vLLM's KV cache would not surely hold one request, the planner makes room in what the spec
leaves open: first more GPUs for a server, then smaller steps of the engine, then a shorter context."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import structs

from llmdgen.composition.contribution import Situation
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.planning.roles import SEQUENCES, TOKENS

DOUBLINGS = 4  # from one GPU to all of a node
# Most sequences and tokens of a step, by which the profile run grows; vLLM's own at first. The last is so slow that a
# shorter context goes before it.
STEPS = ((0, 0), (256, 2048), (128, 512), (32, 128))
USEFUL_CONTEXT = 32_768  # a shorter one is worth more GPUs
CONTEXT_STEP = 1024
# Who sets these has decided about GPU memory, and who quantises while loading knows more than the estimate.
DECIDED = ("gpu-memory-utilization", "kv-cache-memory-bytes", "quantization")
LENGTH = "max-model-len"


def started(situation: Situation, attempt: Callable[[Situation], Plan]) -> Plan:
    """The first plan that starts, from the path's own choice on; that choice where none does."""
    first = attempt(situation)
    short = _short(first)
    if not short or not all(_is_open(role, situation) for role in short):
        return first
    tried = []
    for sequences, tokens in STEPS:
        most = {SEQUENCES: sequences, TOKENS: tokens} if sequences else {}
        for wider, plan in _doubled(structs.replace(situation, most=most), attempt):
            if not _short(plan) and (sequences, tokens) != STEPS[-1]:
                return plan
            tried.append((wider, plan))
    if any(LENGTH in role.flags for role in first.roles):
        return first
    # What surely fits, else what may.
    for sure in (True, False):
        lengths = [(_context(plan, sure=sure), wider) for wider, plan in tried if wider.most]
        enough = min(USEFUL_CONTEXT, max(context for context, _ in lengths) * 9 // 10)
        context, wider = next(each for each in lengths if each[0] >= enough)
        if context >= CONTEXT_STEP:
            return attempt(structs.replace(wider, most={**wider.most, LENGTH: context}))
    return first


def bounds(situation: Situation) -> Iterator[str]:
    """What a reviewer has to know of the flags that the planner bounds."""
    if situation.most:
        flags = ", ".join(f"{flag} {most}" for flag, most in situation.most.items())
        yield f"{flags}: with more, vLLM's KV cache would not surely hold one request here, and it would not start"


def _short(plan: Plan) -> list[RolePlan]:
    return [role for role in plan.roles if role.memory_use is not None and not role.memory_use.starts]


def _is_open(role: RolePlan, situation: Situation) -> bool:
    sizes = situation.spec.role(role.name).parallelism
    fixed = sizes.tensor or sizes.data or sizes.data_local or sizes.workers
    return not fixed and not any(flag in role.flags for flag in DECIDED)


def _doubled(situation: Situation, attempt: Callable[[Situation], Plan]) -> Iterator[tuple[Situation, Plan]]:
    """Plans with ever more GPUs for the servers that are short of memory."""
    for _ in range(DOUBLINGS):
        plan = attempt(situation)
        yield situation, plan
        more = {role.name: situation.doubled.get(role.name, 0) + 1 for role in _short(plan)}
        situation = structs.replace(situation, doubled={**situation.doubled, **more})


def _context(plan: Plan, *, sure: bool) -> int:
    """The longest context, in round steps, which every role's KV cache holds, surely or by the bare estimate."""
    uses = [role.memory_use for role in plan.roles if role.memory_use is not None]
    tokens = min(use.tokens_in(use.kv - use.margin * sure) for use in uses)
    return min(tokens, max(use.max_model_len for use in uses)) // CONTEXT_STEP * CONTEXT_STEP
