"""Which nodes the pods of a plan take: those of each instance type, shared by the roles that run on it."""

from __future__ import annotations

from collections.abc import Sequence

from llmdgen.composition.names import RoleName
from llmdgen.kube.room import Need, nodes_for
from llmdgen.planning.model import Pool, RolePlan
from llmdgen.quantities import MIB, to_bytes


def pools(roles: Sequence[RolePlan]) -> tuple[Pool, ...]:
    """The nodes of each instance type, shared by the roles that run on it. A role that does not fit counts no nodes."""
    by_instance: dict[str, list[RolePlan]] = {}
    for role in roles:
        by_instance.setdefault(role.node.instance.name, []).append(role)
    return tuple(_pool(name, sharing) for name, sharing in by_instance.items())


def need_of(role: RolePlan) -> Need:
    """What one pod of a planned role asks of its node."""
    storage = -(-to_bytes(role.storage) // MIB) if role.storage else 0
    return Need(role.size.gpus_per_pod, role.efa_per_pod, role.cpu_millis, role.memory_mib, storage)


def _pool(instance: str, roles: list[RolePlan]) -> Pool:
    node = roles[0].node
    nodes = nodes_for([(need_of(role), role.pods) for role in roles if role.pods_per_node], node.room)
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
