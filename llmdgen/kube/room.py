"""Room on nodes: what pods ask for, what is left, and how many of them fit.

A device belongs to one pod, so a node is full when any of its resources is. Nodes are filled the way the Kubernetes
scheduler can fill them: large pods first, each on the first node with room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from msgspec import Struct
from msgspec.structs import astuple

UNLIMITED = 1 << 60  # of a resource about which nothing is known: it never is the one that runs out
NAMES = {
    "gpus": "GPUs",
    "efa": "EFA interfaces",
    "cpu_millis": "cpu",
    "memory_mib": "memory",
    "storage_mib": "ephemeral storage",
}


class Need(Struct, frozen=True, order=True):
    """What pods ask for, or a node has: GPUs, EFA interfaces, millicores, MiB of memory and of ephemeral storage."""

    gpus: int
    efa: int
    cpu_millis: int
    memory_mib: int
    storage_mib: int = 0


NOTHING = Need(0, 0, 0, 0)


def total(needs: Iterable[Need]) -> Need:
    """All of them together."""
    return Need(*map(sum, zip(*map(astuple, needs), strict=True)))


def largest(needs: Iterable[Need]) -> Need:
    """The most of each resource that any of them asks for."""
    return Need(*map(max, zip(*map(astuple, needs), strict=True)))


def times(need: Need, count: int) -> Need:
    """What so many of them ask for."""
    return minus(NOTHING, need, -count)


def minus(room: Need, need: Need, count: int = 1) -> Need:
    """What so many of them leave of a room, possibly below zero."""
    return Need(
        room.gpus - need.gpus * count,
        room.efa - need.efa * count,
        room.cpu_millis - need.cpu_millis * count,
        room.memory_mib - need.memory_mib * count,
        room.storage_mib - need.storage_mib * count,
    )


def fitting(need: Need, room: Need) -> tuple[int, str]:
    """How many pods of one kind a room holds, and the resource that sets the limit; none where they ask for nothing."""
    limits = {
        name: max(0, getattr(room, field) // getattr(need, field))
        for field, name in NAMES.items()
        if getattr(need, field)
    }
    scarce = min(limits, key=lambda name: limits[name], default=NAMES["gpus"])
    return limits.get(scarce, 0), scarce


def placed(pods: Iterable[tuple[Need, int]], rooms: Iterable[Need]) -> int:
    """How many of the pods find a node, the largest first, each on the first node with room."""
    left, found = list(rooms), 0
    for need, count in sorted(pods, reverse=True):
        for index, room in enumerate(left):
            here = min(count, fitting(need, room)[0])
            left[index] = minus(room, need, here)
            count -= here
            found += here
    return found


def most_blocked(need: Need, others: Sequence[tuple[Need, int]], node: Need) -> int:
    """How many equal nodes the other pods can leave without room for one more such pod, wherever they have landed.

    The scheduler takes the emptiest node for each pod, so that what is free may be a little on every node. Each node
    without room has a mix of the others, and there are at most as many as the smallest such mix allows: of pods, and of
    each resource.
    """
    kinds, counts = [each for each, _ in others], [count for _, count in others]
    full: list[tuple[int, ...]] = []
    for mix in product(*(range(min(count, fitting(each, node)[0]) + 1) for each, count in others)):
        taken = total(map(times, kinds, mix))
        left = minus(node, taken)
        if min(astuple(left)) >= 0 and not fitting(need, left)[0]:
            full.append((sum(mix), *astuple(taken)))
    least = map(min, zip(*full, strict=True))
    used = (sum(counts), *astuple(total(map(times, kinds, counts))))
    return min((have // each for have, each in zip(used, least, strict=False) if each), default=0)


def sure_nodes(pods: Sequence[tuple[Need, int]], node: Need) -> int:
    """How many equal nodes let every pod find a place in whatever order they come: as many as the others can block, and
    one more."""
    kinds = range(len(pods))
    others = [[(need, count - (kind == own)) for kind, (need, count) in enumerate(pods)] for own in kinds]
    return max(most_blocked(pods[own][0], others[own], node) + 1 for own in kinds)


def nodes_for(pods: Iterable[tuple[Need, int]], node: Need) -> int:
    """How many nodes all pods need. Equal nodes are one entry with a count, so that thousands of pods stay cheap."""
    free: list[tuple[Need, int]] = []
    for need, count in sorted(pods, reverse=True):
        left: list[tuple[Need, int]] = []
        for room, nodes in free:
            each = fitting(need, room)[0]
            used = min(nodes, -(-count // each)) if each else 0
            if used:
                whole = count // each if count < used * each else used
                rest = min(count, used * each) - whole * each
                left.append((minus(room, need, each), whole))
                if rest:
                    left.append((minus(room, need, rest), 1))
                count -= whole * each + rest
            left.append((room, nodes - used))
        each = fitting(need, node)[0]
        if count and each:
            left.append((minus(node, need, each), count // each))
            if count % each:
                left.append((minus(node, need, count % each), 1))
        free = [(room, nodes) for room, nodes in left if nodes]
    return sum(nodes for _, nodes in free)


def efa_share(attached: int, gpus_of_node: int, gpus_of_pod: int) -> int:
    """A pod's EFA interfaces: (those of the node / its GPUs) x GPUs of the pod, rounded down, at least one where the
    node has any. Where it has fewer than GPUs, small pods get one each for as long as there are any, and the placement
    puts fewer pods on a node than it has GPUs for."""
    if not attached or not gpus_of_node:
        return 0
    return max(1, attached * gpus_of_pod // gpus_of_node)
