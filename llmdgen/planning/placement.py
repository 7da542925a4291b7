"""Which nodes the pods of a plan may land on, and how many they take of each instance type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from llmdgen.composition.names import RoleName
from llmdgen.kube.room import nodes_for
from llmdgen.planning.model import Node, Pool, RolePlan
from llmdgen.spec.model import Cluster


def pools(roles: Sequence[RolePlan]) -> tuple[Pool, ...]:
    """The nodes of each instance type, shared by the roles that run on it. A role that does not fit counts no nodes."""
    by_instance: dict[str, list[RolePlan]] = {}
    for role in roles:
        by_instance.setdefault(role.node.instance.name, []).append(role)
    return tuple(_pool(name, sharing) for name, sharing in by_instance.items())


def _pool(instance: str, roles: list[RolePlan]) -> Pool:
    node = roles[0].node
    nodes = nodes_for([(role.need, role.pods) for role in roles if role.pods_per_node], node.room)
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


def node_selector(place: Node, cluster: Cluster, platform: dict[str, Any], kind: str) -> dict[str, str]:
    """The node's type, what the platform (`kind`: eks or hyperpod) asks for, the zone, then the spec's own labels."""
    selector = {platform["instance_type_label"]: place.label, **platform[kind]["node_selector"]}
    if cluster.zone:
        selector[platform["zone_label"]] = cluster.zone
    return selector | cluster.node_selector


def tolerations(platform: dict[str, Any], cluster: Cluster) -> tuple[dict[str, Any], ...]:
    """The platform's tolerations and the spec's own, as Kubernetes writes them, each once."""
    own = own_tolerations(cluster)
    given: list[dict[str, Any]] = platform["tolerations"]
    return (*given, *(each for index, each in enumerate(own) if each not in (*given, *own[:index])))


def own_tolerations(cluster: Cluster) -> tuple[dict[str, Any], ...]:
    """The spec's tolerations as Kubernetes writes them, in its order."""
    written = map(msgspec.to_builtins, cluster.tolerations)
    return tuple({key: value for key, value in each.items() if value is not None} for each in written)
