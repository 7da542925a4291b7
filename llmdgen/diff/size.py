"""How large a deployment is before and after: what a reader of a difference asks first."""

from __future__ import annotations

from msgspec import Struct

from llmdgen.diff.state import State

_TOTALS = (("gpus", "GPUs"), ("efa", "EFA interfaces"), ("pods", "pods"))


class Size(Struct, frozen=True):
    """Nodes, GPUs, EFA interfaces and model server pods of one target."""

    nodes: int = 0
    gpus: int = 0
    efa: int = 0
    pods: int = 0


class Growth(Struct, frozen=True):
    """The size of targets that differ, before and after; a target that one side has not is of size 0 there."""

    name: str
    targets: tuple[str, ...]
    before: Size
    after: Size


def size(state: State) -> Size:
    """What allocation.yaml of a target adds up to."""
    nodes = sum(value for key, value in state.facts.items() if key.topic == "nodes" and isinstance(value, int))
    totals = {field: int(state.number("capacity", "total", name)) for field, name in _TOTALS}
    return Size(nodes=nodes, **totals)


def grouped(found: list[tuple[str, str, Size, Size]]) -> tuple[Growth, ...]:
    """Targets that grow alike together, in the order in which the first of each stands."""
    alike: dict[tuple[str, Size, Size], list[str]] = {}
    for name, target, before, after in found:
        alike.setdefault((name, before, after), []).append(target)
    return tuple(Growth(name, tuple(targets), *sizes) for (name, *sizes), targets in alike.items())


def said(growth: Growth) -> str:
    """`nodes 1 -> 2, GPUs 8 -> 12, EFA interfaces 32 -> 48, pods 5 -> 6`; a number that stays is said once."""
    before, after = growth.before, growth.after
    if before == after:
        return f"{_all(after)}, as before"
    if Size() in (before, after):
        return f"new, {_all(after)}" if before == Size() else f"gone, it had {_all(before)}"
    pairs = (
        ("nodes", before.nodes, after.nodes),
        ("GPUs", before.gpus, after.gpus),
        ("EFA interfaces", before.efa, after.efa),
        ("pods", before.pods, after.pods),
    )
    return ", ".join(f"{what} {old} -> {new}" if old != new else f"{what} {old}" for what, old, new in pairs)


def _all(size: Size) -> str:
    return f"nodes {size.nodes}, GPUs {size.gpus}, EFA interfaces {size.efa}, pods {size.pods}"
