"""What becomes of requests, and of the KV caches that answer them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.diff.state import ROLES, State
from llmdgen.diff.step import CACHE_KEYS, CLAIM, POD_TOPICS, SHARED_CACHE, Consequence, Step


def served_name(step: Step) -> Iterator[Consequence]:
    """Requests carry the model's name."""
    for each in step.changed("model", ("model",)):
        if each.key.name == "name":
            yield Consequence("breaks", f"clients must ask for {each.new}; {each.old} is answered with 404")


def shorter_requests(step: Step) -> Iterator[Consequence]:
    """vLLM refuses a request that is longer than --max-model-len."""
    for role in ROLES:
        for each in step.changed(role, ("cache",)):
            if each.key.name == "longest request in tokens" and each.delta is not None and each.delta < 0:
                yield Consequence("breaks", f"requests of more than {each.new} tokens are refused")


def kv_cache_in_all(step: Step) -> Iterator[Consequence]:
    """What all servers of a role hold together, where that is not what one rank's line says already."""
    for role in ROLES:
        if not step.serves(role):
            continue
        each = [state.number(role, "cache", "KV cache tokens of a rank") for state in (step.old, step.new)]
        ranks = [
            state.number(role, "replicas", "replicas") * max(1, state.number(role, "parallelism", "data parallelism"))
            for state in (step.old, step.new)
        ]
        if not all(each) or ranks[0] == ranks[1]:
            continue
        grown = round(100 * (each[1] * ranks[1] / (each[0] * ranks[0]) - 1))
        if grown:
            says = f"the KV cache of all {{roles}} servers together: {grown:+d} %"
            yield Consequence("costs" if grown < 0 else "note", says, (role,))


def transfer_leaves_efa(step: Step) -> Iterator[Consequence]:
    """Of NIXL's backends only LIBFABRIC drives EFA; UCX moves the same blocks over TCP, and says nothing."""
    for role in ROLES:
        for each in step.changed(role, ("connector",)):
            if each.key.name != "NixlConnector backends" or "NixlConnector" not in _connectors(step.new, role):
                continue
            if _has_libfabric(each.old) and not _has_libfabric(each.new):
                yield Consequence("costs", "KV blocks of {roles} no longer go over EFA, but over TCP", (role,))
            elif _has_libfabric(each.new) and "NixlConnector" in _connectors(step.old, role):
                yield Consequence("note", "KV blocks of {roles} go over EFA, no longer over TCP", (role,))


def _connectors(state: State, role: str) -> tuple[object, ...]:
    found = state.get(role, "connectors", "KV connectors")
    return found if isinstance(found, tuple) else ()


def _has_libfabric(value: object) -> bool:
    return "LIBFABRIC" in (value if isinstance(value, tuple) else (value,))


def stored_blocks(step: Step) -> Iterator[Consequence]:
    """What LMCache stored is found by a hash of tokens, chunk size, seed, model, type and tensor parallelism."""
    for role in ROLES:
        if not all(state.get(role, "cache", SHARED_CACHE) for state in (step.old, step.new)):
            continue
        names = [each.key.name for each in step.changed(role, POD_TOPICS) if each.key.name in CACHE_KEYS]
        # vLLM tells LMCache the model as it was given to it: the name, or the path on a claim.
        model = [each.key.name for each in step.changed("model", ("model",)) if each.key.name in ("name", "uri")]
        names += [f"model {model[0]}"] if model else []
        names += ["claim"] if any(each.key.name.endswith(CLAIM) for each in step.changed(role, ("volume",))) else []
        if names:
            what = ", ".join(name.removeprefix("env ") for name in names)
            yield Consequence("costs", f"blocks on shared storage are not found again ({what} changed)", (role,))


def block_size_of_scheduler(step: Step) -> Iterator[Consequence]:
    """The scheduler's prefix scores count blocks of its own configuration or of what pods report."""
    if step.is_new:
        return
    if any(each.key.name == "--block-size" for role in ROLES for each in step.changed(role, ("flag",))):
        yield Consequence("costs", "prefix scores are off until every pod and the scheduler have the new block size")
