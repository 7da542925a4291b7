"""Where pods fit: how many of a role's pods one node holds, and how many nodes all pods need.

A device belongs to one pod, so a node is full when any of its resources is. Nodes are filled the way the Kubernetes
scheduler can fill them: large pods first, each on the first node with room.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from llmdgen.composition.names import RoleName
from llmdgen.planning.model import Node, Pool, RolePlan


class Need(Struct, frozen=True, order=True):
    """What one pod asks of a node: GPUs, EFA interfaces, millicores, MiB."""

    gpus: int
    efa: int
    cpu_millis: int
    memory_mib: int


def pods_per_node(need: Need, node: Node) -> tuple[int, str]:
    """How many pods of one kind an empty node holds, and the resource that sets the limit."""
    limits = {"GPUs": node.gpus // need.gpus if need.gpus else 0}
    if need.efa:
        limits["EFA interfaces"] = node.efa // need.efa
    if node.cpu_millis is not None and need.cpu_millis:
        limits["cpu"] = node.cpu_millis // need.cpu_millis
    if node.memory_mib is not None and need.memory_mib:
        limits["memory"] = node.memory_mib // need.memory_mib
    scarce = min(limits, key=lambda name: limits[name])
    return limits[scarce], scarce


def pools(roles: Sequence[RolePlan]) -> tuple[Pool, ...]:
    """The nodes of each instance type, shared by the roles that run on it. A role that does not fit counts no nodes."""
    by_instance: dict[str, list[RolePlan]] = {}
    for role in roles:
        by_instance.setdefault(role.node.instance.name, []).append(role)
    return tuple(_pool(name, sharing) for name, sharing in by_instance.items())


def need_of(role: RolePlan) -> Need:
    """What one pod of a planned role asks of its node."""
    return Need(role.size.gpus_per_pod, role.efa_per_pod, role.cpu_millis, role.memory_mib)


def _pool(instance: str, roles: list[RolePlan]) -> Pool:
    node = roles[0].node
    fitting = [role for role in roles if role.pods_per_node]
    nodes = _nodes(node, [(need_of(role), role.pods) for role in fitting])
    names: tuple[RoleName, ...] = tuple(role.name for role in roles)
    return Pool(
        instance=instance,
        roles=names,
        nodes=nodes,
        gpus_used=sum(role.pods * role.size.gpus_per_pod for role in roles),
        gpus=nodes * node.gpus,
        efa_used=sum(role.pods * role.efa_per_pod for role in roles),
        efa=nodes * node.efa,
    )


def _nodes(node: Node, pods: list[tuple[Need, int]]) -> int:
    """First fit, largest first. Equal nodes are one entry with a count, so that thousands of pods stay cheap."""
    free: list[tuple[Need, int]] = []
    full = Need(node.gpus, node.efa, node.cpu_millis or 0, node.memory_mib or 0)
    known_cpu, known_memory = node.cpu_millis is not None, node.memory_mib is not None
    for need, count in sorted(pods, reverse=True):
        need = Need(need.gpus, need.efa, need.cpu_millis * known_cpu, need.memory_mib * known_memory)
        left: list[tuple[Need, int]] = []
        for room, nodes in free:
            each = _times(need, room)
            used = min(nodes, -(-count // each)) if each else 0
            if used:
                whole = count // each if count < used * each else used
                rest = min(count, used * each) - whole * each
                left.append((_minus(room, need, each), whole))
                if rest:
                    left.append((_minus(room, need, rest), 1))
                count -= whole * each + rest
            left.append((room, nodes - used))
        each = _times(need, full)
        if count and each:
            left.append((_minus(full, need, each), count // each))
            if count % each:
                left.append((_minus(full, need, count % each), 1))
        free = [(room, nodes) for room, nodes in left if nodes]
    return sum(nodes for _, nodes in free)


def _times(need: Need, room: Need) -> int:
    """How often a need fits into a room."""
    pairs = (
        (need.gpus, room.gpus),
        (need.efa, room.efa),
        (need.cpu_millis, room.cpu_millis),
        (need.memory_mib, room.memory_mib),
    )
    return min((have // want for want, have in pairs if want), default=0)


def _minus(room: Need, need: Need, times: int) -> Need:
    return Need(
        room.gpus - need.gpus * times,
        room.efa - need.efa * times,
        room.cpu_millis - need.cpu_millis * times,
        room.memory_mib - need.memory_mib * times,
    )
