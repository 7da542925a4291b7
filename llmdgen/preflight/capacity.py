"""Questions about nodes: enough of each planned type, what each offers, and the room beside what runs already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from llmdgen.kube.container import image_name
from llmdgen.kube.room import NOTHING, Need, largest, minus, placed, times, total
from llmdgen.planning.model import Plan, Pool, RolePlan
from llmdgen.planning.placement import need_of
from llmdgen.preflight import rules
from llmdgen.preflight.answer import Answer, Forbidden, Question
from llmdgen.preflight.cluster import Cluster, Object
from llmdgen.preflight.node import LiveNode, live_node, taken
from llmdgen.quantities import cpu_text, mib_text
from llmdgen.registry import Rule

SHOWN = 3  # nodes named in an answer
# A device plugin's image, by its name, and chart: the charts' own, and those that platforms bring.
GPU_PLUGIN = ("k8s-device-plugin", "nvidia-device-plugin")
EFA_PLUGIN = ("aws-efa-k8s-device-plugin", "aws-efa-k8s-device-plugin")


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
            yield _nodes_of(pool, _roles(plan, pool)[0].node.label).unknown(refused)
        return
    groups = [_group(plan, pool, nodes) for pool in plan.pools]
    for group in groups:
        yield _enough(plan, group, nodes)
        if group.usable:
            yield from _offers(group)
            yield _architecture(plan, group)
            on = f"on all {len(group.usable)} usable nodes of {group.label}"
            for rule, resource, plugin in (
                (rules.GPU_PLUGIN, plan.platform["gpu_resource"], GPU_PLUGIN),
                (rules.EFA_PLUGIN, plan.platform["efa_resource"], EFA_PLUGIN),
            ):
                if rule is rules.GPU_PLUGIN or _fullest(group).efa > 0:
                    question = Question(rule, f"device plugin {resource}", on)
                    yield _plugin(question, resource, plugin, group.usable, cluster)
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


def _nodes_of(pool: Pool, label: str) -> Question:
    return Question(rules.NODES, f"nodes {label}", f"{pool.nodes} usable")


def _enough(plan: Plan, group: Group, nodes: Sequence[Object]) -> Answer:
    question = _nodes_of(group.pool, group.label)
    if not group.labelled:
        return question.missing("no such node", _no_node(plan, group, nodes))
    found = f"{len(group.usable)} of {len(group.labelled)} usable"
    kept = [f"{node.name}: {node.obstacle}" for node in group.labelled if node.obstacle]
    if kept:
        found += f" ({'; '.join(kept[:SHOWN])}{f'; and {len(kept) - SHOWN} more' if len(kept) > SHOWN else ''})"
    if len(group.usable) >= group.pool.nodes:
        return question.ok(found)
    lacking = group.pool.nodes - len(group.usable)
    return question.short(found, f"make {lacking} more of the nodes usable, add nodes, or lower replicas")


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
        question = Question(rule, f"{title} of {group.label}", f"{_text(field, wanted)} on a node")
        found = _text(field, high) if low == high else f"{_text(field, low)} to {_text(field, high)}"
        yield question.ok(found) if offered[count - 1] >= wanted else question.short(found, fix)


def _fullest(group: Group) -> Need:
    """What the pods of the fullest node ask of it: all of them on a single node, else as many of one role as fit."""
    if group.pool.nodes == 1:
        return total(times(need_of(role), role.pods) for role in group.roles)
    return largest(times(need_of(role), min(role.pods_per_node, role.pods)) for role in group.roles)


def _architecture(plan: Plan, group: Group) -> Answer:
    made = plan.server.architectures
    found = sorted({node.architecture for node in group.usable})
    question = Question(rules.ARCHITECTURE, f"architecture of {group.label}", " or ".join(made))
    if all(each in made for each in found):
        return question.ok(", ".join(found))
    return question.missing(", ".join(found), f"use nodes of {question.needed}: the image is for no other")


def _plugin(
    question: Question, resource: str, plugin: tuple[str, str], nodes: Sequence[LiveNode], cluster: Cluster
) -> Answer:
    """Whether all nodes advertise the resource of a device plugin, and who should make them."""
    image, chart = plugin
    without = [node.name for node in nodes if resource not in node.advertises]
    if not without:
        return question.ok("on all")
    says = f"none on {without[0]}" + (f" and {len(without) - 1} more" if len(without) > 1 else "")
    try:
        found = _daemon_set(cluster, image)
    except Forbidden:
        return question.missing(says, f"see whether the DaemonSet of {chart} runs on these nodes")
    if found is None:
        return question.missing(f"{says}; no DaemonSet of {chart}", f"install the chart {chart}")
    fix = f"see whether node affinity and tolerations of DaemonSet {found} let it on these nodes, and its pods' logs"
    return question.missing(f"{says}; DaemonSet {found} is there", fix)


def _daemon_set(cluster: Cluster, image: str) -> str | None:
    """The DaemonSet that runs an image with that name, as namespace/name. NVIDIA's name is the end of EFA's own."""
    for each in cluster.daemon_sets():
        for container in each["spec"]["template"]["spec"]["containers"]:
            if image_name(container.get("image", "")) == image:
                return f"{each['metadata']['namespace']}/{each['metadata']['name']}"
    return None


def _rooms(plan: Plan, groups: Sequence[Group], cluster: Cluster) -> Iterator[Answer]:
    """The room that is left on usable nodes, then in one zone where the plan needs one."""
    zoned = plan.one_zone and not plan.spec.spec.cluster.zone
    in_zone = f"all {sum(role.pods for role in plan.roles)} pods in one zone"
    zone = Question(rules.ONE_ZONE, "availability zone", in_zone)
    try:
        used = _used(plan, cluster)
    except Forbidden as refused:
        yield Question(rules.ROOM, "room for all pods", "beside running pods").unknown(refused)
        if zoned:
            yield zone.unknown(refused)
        return
    for group in groups:
        if group.usable:
            yield _room(group, used)
    if zoned and all(group.usable for group in groups):
        yield _one_zone(zone, plan, groups, used)


def _room(group: Group, used: dict[str, Need]) -> Answer:
    pods = sum(count for _, count in group.pods)
    fitting = placed(group.pods, [_left(node, used) for node in group.usable])
    free = sum(max(0, _left(node, used).gpus) for node in group.usable)
    question = Question(rules.ROOM, f"room on {group.label}", f"{pods} pods")
    found = f"{fitting} pods fit beside what runs, {free} GPUs free"
    if fitting == pods:
        return question.ok(found)
    return question.short(found, "add nodes, scale other deployments down, or lower replicas")


def _one_zone(question: Question, plan: Plan, groups: Sequence[Group], used: dict[str, Need]) -> Answer:
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
    if max((count for zone, count in fitting.items() if zone), default=0) == pods:
        return question.ok(found)
    return question.short(found, "have enough nodes in one zone: EFA does not leave it")


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
            used[node] = total((used.get(node, NOTHING), taken(pod, plan.platform)))
    return used


def _left(node: LiveNode, used: dict[str, Need]) -> Need:
    return minus(node.offers, used.get(node.name, NOTHING))


def _text(field: str, amount: int) -> str:
    if field in ("memory_mib", "storage_mib"):
        return mib_text(amount)
    return cpu_text(amount) if field == "cpu_millis" else str(amount)
