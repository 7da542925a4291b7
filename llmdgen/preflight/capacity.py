"""Questions about nodes: enough of each planned type, what each offers, and the room beside what runs already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from llmdgen.kube.room import NOTHING, Need, minus, placed, plus
from llmdgen.planning.model import Plan, Pool, RolePlan
from llmdgen.planning.placement import need_of
from llmdgen.preflight import plugins, rules
from llmdgen.preflight.answer import Answer, Forbidden, missing, ok, short, unknown
from llmdgen.preflight.cluster import Cluster, Object
from llmdgen.preflight.node import LiveNode, live_node, taken
from llmdgen.quantities import cpu_text, mib_text
from llmdgen.registry import Rule

SHOWN = 3  # nodes named in an answer


class Group(Struct, frozen=True, kw_only=True):
    """The nodes of one planned instance type: those with its label, and the roles of the plan that share them."""

    pool: Pool
    roles: tuple[RolePlan, ...]
    labelled: tuple[LiveNode, ...]

    @property
    def label(self) -> str:
        return self.roles[0].node.label

    @property
    def usable(self) -> list[LiveNode]:
        return [node for node in self.labelled if not node.obstacle]

    @property
    def pods(self) -> list[tuple[Need, int]]:
        return [(need_of(role), role.pods) for role in self.roles]


def answers(plan: Plan, cluster: Cluster) -> Iterator[Answer]:
    """Everything that is asked about the nodes of a plan."""
    try:
        nodes = cluster.nodes()
    except Forbidden as refused:
        for pool in plan.pools:
            label = _roles(plan, pool)[0].node.label
            yield unknown(rules.NODES, f"nodes {label}", f"{pool.nodes} usable", refused)
        return
    groups = [_group(plan, pool, nodes) for pool in plan.pools]
    for group in groups:
        yield _enough(plan, group, nodes)
        if group.usable:
            yield from _offers(group)
            yield _architecture(plan, group)
            yield from plugins.answers(plan, group.label, group.usable, _fullest(group).efa > 0, cluster)
    yield from _rooms(plan, groups, cluster)


def _group(plan: Plan, pool: Pool, nodes: Sequence[Object]) -> Group:
    roles = _roles(plan, pool)
    key, label = plan.platform["instance_type_label"], roles[0].node.label
    labelled = tuple(
        live_node(node, roles[0].node_selector, plan.tolerations, plan.platform)
        for node in nodes
        if (node["metadata"].get("labels") or {}).get(key) == label
    )
    return Group(pool=pool, roles=roles, labelled=labelled)


def _roles(plan: Plan, pool: Pool) -> tuple[RolePlan, ...]:
    return tuple(role for role in plan.roles if role.name in pool.roles)


def _enough(plan: Plan, group: Group, nodes: Sequence[Object]) -> Answer:
    rule, what, needed = rules.NODES, f"nodes {group.label}", f"{group.pool.nodes} usable"
    if not group.labelled:
        return missing(rule, what, needed, "no such node", _no_node(plan, group, nodes))
    found = f"{len(group.usable)} of {len(group.labelled)} usable"
    kept = [f"{node.name}: {node.obstacle}" for node in group.labelled if node.obstacle]
    if kept:
        found += f" ({'; '.join(kept[:SHOWN])}{f'; and {len(kept) - SHOWN} more' if len(kept) > SHOWN else ''})"
    if len(group.usable) >= group.pool.nodes:
        return ok(rule, what, needed, found)
    lacking = group.pool.nodes - len(group.usable)
    return short(rule, what, needed, found, f"make {lacking} more of the nodes usable, add nodes, or lower replicas")


def _no_node(plan: Plan, group: Group, nodes: Sequence[Object]) -> str:
    """What helps where no node has the label: the other platform, where its nodes are there."""
    key, bare = plan.platform["instance_type_label"], group.label.removeprefix("ml.")
    other = bare if group.label != bare else f"ml.{bare}"
    if any((node["metadata"].get("labels") or {}).get(key) == other for node in nodes):
        return f"nodes of {other} are there: set platform: {'eks' if other == bare else 'hyperpod'}"
    return f"add nodes of {group.label}, or render for an instance type that the cluster has"


def _offers(group: Group) -> Iterator[Answer]:
    """What the poorest nodes that the plan would have to use offer of each resource."""
    asked = _fullest(group)
    count = min(group.pool.nodes, len(group.usable))
    questions: tuple[tuple[Rule, str, str, str], ...] = (
        (rules.GPUS, "GPUs", "gpus", "repair the node, or switch MIG or time slicing off"),
        (rules.EFA, "EFA interfaces", "efa", "launch nodes with more interfaces, or set cluster.efaPerNode"),
        (rules.CPU, "cpu", "cpu_millis", "set a smaller resources.cpu"),
        (rules.MEMORY, "memory", "memory_mib", "set a smaller resources.memory"),
        (rules.STORAGE, "ephemeral storage", "storage_mib", "give nodes a larger volume, or NVMe, for the kubelet"),
    )
    for rule, title, field, fix in questions:
        wanted: int = getattr(asked, field)
        if not wanted:
            continue
        offered = sorted((getattr(node.offers, field) for node in group.usable), reverse=True)
        low, high = offered[-1], offered[0]
        what, needed = f"{title} of {group.label}", f"{_text(field, wanted)} on a node"
        found = _text(field, high) if low == high else f"{_text(field, low)} to {_text(field, high)}"
        if offered[count - 1] >= wanted:
            yield ok(rule, what, needed, found)
        else:
            yield short(rule, what, needed, found, fix)


def _fullest(group: Group) -> Need:
    """What the pods of the fullest node ask of it: all of them on a single node, else as many of one role as fit."""
    if group.pool.nodes == 1:
        shares = [(need_of(role), role.pods) for role in group.roles]
        return Need(
            sum(each.gpus * pods for each, pods in shares),
            sum(each.efa * pods for each, pods in shares),
            sum(each.cpu_millis * pods for each, pods in shares),
            sum(each.memory_mib * pods for each, pods in shares),
            sum(each.storage_mib * pods for each, pods in shares),
        )
    shares = [(need_of(role), min(role.pods_per_node, role.pods)) for role in group.roles]
    return Need(
        max(each.gpus * pods for each, pods in shares),
        max(each.efa * pods for each, pods in shares),
        max(each.cpu_millis * pods for each, pods in shares),
        max(each.memory_mib * pods for each, pods in shares),
        max(each.storage_mib * pods for each, pods in shares),
    )


def _architecture(plan: Plan, group: Group) -> Answer:
    made = plan.server.architectures
    found = sorted({node.architecture for node in group.usable})
    rule, what, needed = rules.ARCHITECTURE, f"architecture of {group.label}", " or ".join(made)
    if all(each in made for each in found):
        return ok(rule, what, needed, ", ".join(found))
    return missing(rule, what, needed, ", ".join(found), f"use nodes of {needed}: the image is for no other")


def _rooms(plan: Plan, groups: Sequence[Group], cluster: Cluster) -> Iterator[Answer]:
    """The room that is left on usable nodes, then in one zone where the plan needs one."""
    zoned = plan.one_zone and not plan.spec.spec.cluster.zone
    zone_text = f"all {sum(role.pods for role in plan.roles)} pods in one zone"
    try:
        used = _used(plan, cluster)
    except Forbidden as refused:
        yield unknown(rules.ROOM, "room for all pods", "beside running pods", refused)
        if zoned:
            yield unknown(rules.ONE_ZONE, "availability zone", zone_text, refused)
        return
    for group in groups:
        if group.usable:
            yield _room(group, used)
    if zoned and all(group.usable for group in groups):
        yield _one_zone(plan, groups, used, zone_text)


def _room(group: Group, used: dict[str, Need]) -> Answer:
    pods = sum(count for _, count in group.pods)
    fitting = placed(group.pods, [_left(node, used) for node in group.usable])
    free = sum(max(0, _left(node, used).gpus) for node in group.usable)
    what, needed = f"room on {group.label}", f"{pods} pods"
    found = f"{fitting} pods fit beside what runs, {free} GPUs free"
    if fitting == pods:
        return ok(rules.ROOM, what, needed, found)
    return short(rules.ROOM, what, needed, found, "add nodes, scale other deployments down, or lower replicas")


def _one_zone(plan: Plan, groups: Sequence[Group], used: dict[str, Need], needed: str) -> Answer:
    """A zone counts as many pods as find room on its nodes of all types together."""
    # A pod with an affinity on the zone lands on no node without the label: such nodes are shown and do not count.
    zones = sorted({node.zone for group in groups for node in group.usable})
    fitting = {
        zone: sum(
            placed(group.pods, [_left(node, used) for node in group.usable if node.zone == zone]) for group in groups
        )
        for zone in zones
    }
    pods = sum(role.pods for role in plan.roles)
    found = ", ".join(f"{zone or 'no zone label'} {fitting[zone]}" for zone in zones)
    rule, what = rules.ONE_ZONE, "availability zone"
    if max((count for zone, count in fitting.items() if zone), default=0) == pods:
        return ok(rule, what, needed, found)
    return short(rule, what, needed, found, "have enough nodes in one zone: EFA does not leave it")


def _used(plan: Plan, cluster: Cluster) -> dict[str, Need]:
    """What running pods take of each node, by the node's name, pods of this very deployment left out."""
    own = tuple(f"{name}-" for name in plan.names.workload.values())
    used: dict[str, Need] = {}
    for pod in cluster.pods():
        node = pod["spec"].get("nodeName")
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        meta = pod["metadata"]
        ours = meta["namespace"] == plan.names.namespace and meta["name"].startswith(own)
        if node and not ended and not ours:
            used[node] = plus(used.get(node, NOTHING), taken(pod, plan.platform))
    return used


def _left(node: LiveNode, used: dict[str, Need]) -> Need:
    return minus(node.offers, used.get(node.name, NOTHING))


def _text(field: str, amount: int) -> str:
    if field in ("memory_mib", "storage_mib"):
        return mib_text(amount)
    return cpu_text(amount) if field == "cpu_millis" else str(amount)
