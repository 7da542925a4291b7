"""What becomes of requests, and of the KV caches that answer them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.diff.state import Value
from llmdgen.diff.step import CLAIM, SHARED_CACHE, Consequence, Step
from llmdgen.kube.workload import NIXL
from llmdgen.spec.fields import ROLES

# What LMCache makes its keys of: a stored block is found again only under the same.
_CACHE_KEYS = (
    ("parallelism", "tensor parallelism"),
    ("flag", "--kv-cache-dtype"),
    ("flag", "--dtype"),
    ("env", "env PYTHONHASHSEED"),
    ("env", "env LMCACHE_CHUNK_SIZE"),
)


def served_name(step: Step) -> Iterator[Consequence]:
    """Requests carry the model's name."""
    if (each := step.change("model", "model", "name")) is not None:
        yield Consequence("breaks", f"clients must ask for {each.new}; {each.old} is answered with 404")


def shorter_requests(step: Step) -> Iterator[Consequence]:
    """vLLM refuses a request that is longer than --max-model-len."""
    for role in ROLES:
        each = step.change(role, "cache", "longest request in tokens")
        if each is not None and (each.delta or 0) < 0:
            yield Consequence("breaks", f"requests of more than {each.new} tokens are refused")


def kv_cache_in_all(step: Step) -> Iterator[Consequence]:
    """What all servers of a role hold together, where that is not what one rank's line says already."""
    for role in filter(step.serves, ROLES):
        tokens = [state.number(role, "cache", "KV cache tokens of a rank") for state in step.states]
        ranks = [
            state.number(role, "replicas", "replicas") * max(1, state.number(role, "parallelism", "data parallelism"))
            for state in step.states
        ]
        if not all(tokens) or not all(ranks) or ranks[0] == ranks[1]:
            continue
        grown = round(100 * (tokens[1] * ranks[1] / (tokens[0] * ranks[0]) - 1))
        if grown:
            says = f"the KV cache of all {{roles}} servers together: {grown:+d} %"
            yield Consequence("costs" if grown < 0 else "note", says, (role,))


def transfer_leaves_efa(step: Step) -> Iterator[Consequence]:
    """Of NIXL's backends only LIBFABRIC drives EFA; UCX moves the same blocks over TCP, and says nothing."""
    for role in ROLES:
        each = step.change(role, "connector", f"{NIXL} backends")
        if each is None or not _has(step.new.get(role, "connectors", "KV connectors"), NIXL):
            continue
        had, has = _has(each.old, "LIBFABRIC"), _has(each.new, "LIBFABRIC")
        if had and not has:
            yield Consequence("costs", "KV blocks of {roles} no longer go over EFA, but over TCP", (role,))
        elif has and _has(step.old.get(role, "connectors", "KV connectors"), NIXL):
            yield Consequence("note", "KV blocks of {roles} go over EFA, no longer over TCP", (role,))


def _has(value: Value, wanted: str) -> bool:
    return wanted in (value if isinstance(value, tuple) else (value,))


def stored_blocks(step: Step) -> Iterator[Consequence]:
    """What LMCache stored is found by a hash of tokens, chunk size, seed, model, type and tensor parallelism."""
    # vLLM tells LMCache the model as it was given to it: the name, or the path on a claim.
    model = [f"model {name}" for name in ("name", "uri") if step.change("model", "model", name)][:1]
    for role in ROLES:
        if not all(state.get(role, "cache", SHARED_CACHE) for state in step.states):
            continue
        names = [name.removeprefix("env ") for topic, name in _CACHE_KEYS if step.change(role, topic, name)]
        claim = ["claim"] if any(each.name.endswith(CLAIM) for each in step.changed(role, "volume")) else []
        if what := ", ".join([*names, *model, *claim]):
            yield Consequence("costs", f"blocks on shared storage are not found again ({what} changed)", (role,))


def block_size_of_scheduler(step: Step) -> Iterator[Consequence]:
    """The scheduler's prefix scores count blocks of its own configuration or of what pods report."""
    if any(step.change(role, "flag", "--block-size") for role in ROLES):
        yield Consequence("costs", "prefix scores are off until every pod and the scheduler have the new block size")
