"""Questions about nodes: enough of each planned type, what each offers, and the room beside what runs already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from llmdgen.kube.node import efa, gpu, instance_type_label
from llmdgen.kube.room import NAMES, NOTHING, Need, largest, minus, placed, times, total
from llmdgen.kube.workload import image_name
from llmdgen.planning.model import Plan, Pool, RolePlan
from llmdgen.preflight.answer import Answer, Forbidden, Question, asks
from llmdgen.preflight.cluster import Cluster
from llmdgen.preflight.node import LiveNode, live_node, taken
from llmdgen.quantities import cpu_text, mib_text

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
        return [(role.need, role.pods) for role in self.roles]


def answers(plan: Plan, cluster: Cluster) -> Iterator[Answer]:
    """Everything that is asked about the nodes of a plan."""
    for pool in plan.pools:
        label = _roles(plan, pool)[0].node.label
        yield _enough(f"nodes {label}", f"{pool.nodes} usable", plan, pool, cluster)
    try:
        groups = [_group(plan, pool, cluster) for pool in plan.pools]
    except Forbidden:
        return  # said by each answer so far
    for group in groups:
        if group.usable:
            yield from _of_usable(plan, group, cluster)
            pods = sum(count for _, count in group.pods)
            yield _room(f"room on {group.label}", f"{pods} pods", plan, group, cluster)
    if plan.one_zone and not plan.spec.asked.cluster.zone and all(group.usable for group in groups):
        needed = f"all {sum(role.pods for role in plan.roles)} pods in one zone"
        yield _one_zone("availability zone", needed, plan, groups, cluster)


def _of_usable(plan: Plan, group: Group, cluster: Cluster) -> Iterator[Answer]:
    """What the usable nodes of a type have: resources, an architecture, device plugins."""
    asked = _fullest(group)
    for field, ask in _OFFERS.items():
        wanted: int = getattr(asked, field)
        if wanted:
            yield ask(f"{NAMES[field]} of {group.label}", f"{_text(field, wanted)} on a node", group, wanted)
    made = plan.server.architectures
    yield _architecture(f"architecture of {group.label}", " or ".join(made), group, made)
    on = f"on all {len(group.usable)} usable nodes of {group.label}"
    yield _gpu_plugin(f"device plugin {gpu()}", on, group.usable, cluster)
    if asked.efa:
        yield _efa_plugin(f"device plugin {efa()}", on, group.usable, cluster)


def _group(plan: Plan, pool: Pool, cluster: Cluster) -> Group:
    roles = _roles(plan, pool)
    labelled = tuple(
        live_node(node, roles[0].node_selector, plan.tolerations)
        for node in cluster.nodes
        if node.labels.get(instance_type_label()) == roles[0].node.label
    )
    return Group(pool=pool, roles=roles, labelled=labelled)


def _roles(plan: Plan, pool: Pool) -> tuple[RolePlan, ...]:
    return tuple(role for role in plan.roles if role.name in pool.roles)


@asks("PRE110", "too few usable nodes of an instance type")
def _enough(question: Question, plan: Plan, pool: Pool, cluster: Cluster) -> Answer:
    """Pods select nodes by the label node.kubernetes.io/instance-type (with ml. on HyperPod), on HyperPod by the
    health label Schedulable, by the zone and by `cluster.nodeSelector`. A node counts when it carries all these
    labels, is Ready, is not cordoned and has no taint that the pods do not tolerate. An autoscaler that makes nodes
    on demand has none to show before the pods are there.

    Fails:  a plan for 2 nodes of p5.48xlarge where one of two is cordoned.
    Passes: two Ready nodes.
    """
    group = _group(plan, pool, cluster)
    if not group.labelled:
        # The other platform may have its nodes there.
        bare = group.label.removeprefix("ml.")
        other = bare if group.label != bare else f"ml.{bare}"
        fix = f"add nodes of {group.label}, or render for an instance type that the cluster has"
        if any(node.labels.get(instance_type_label()) == other for node in cluster.nodes):
            fix = f"nodes of {other} are there: set platform: {'eks' if other == bare else 'hyperpod'}"
        return question.missing("no such node", fix)
    found = f"{len(group.usable)} of {len(group.labelled)} usable"
    kept = [f"{node.name}: {node.obstacle}" for node in group.labelled if node.obstacle]
    if kept:
        found += f" ({'; '.join(kept[:SHOWN])}{f'; and {len(kept) - SHOWN} more' if len(kept) > SHOWN else ''})"
    if len(group.usable) >= group.pool.nodes:
        return question.ok(found)
    lacking = group.pool.nodes - len(group.usable)
    return question.short(found, f"make {lacking} more of the nodes usable, add nodes, or lower replicas")


@asks("PRE111", "a node that offers fewer GPUs than planned")
def _gpus(question: Question, group: Group, wanted: int) -> Answer:
    """The plan packs pods by the GPUs of the instance type. A node with a failed GPU, or with MIG or time slicing,
    offers another number as allocatable nvidia.com/gpu, and pods of the planned size stay Pending.

    Fails:  p5.48xlarge nodes with 7 allocatable GPUs for pods that fill the node.
    Passes: 8 allocatable GPUs.
    """
    return _offer(question, group, "gpus", wanted, "repair the node, or switch MIG or time slicing off")


@asks("PRE112", "a node that offers fewer EFA interfaces than planned")
def _efa(question: Question, group: Group, wanted: int) -> Answer:
    """What a node can allocate of vpc.amazonaws.com/efa is what was attached when it was launched, at most the
    maximum of its type. The plan counts on the maximum unless `cluster.efaPerNode` says otherwise.

    Fails:  p5.48xlarge nodes launched with 16 interfaces for pods that need 32 on one node.
    Passes: 32 interfaces; or `cluster: {efaPerNode: 16}`.
    """
    return _offer(question, group, "efa", wanted, "launch nodes with more interfaces, or set cluster.efaPerNode")


@asks("PRE113", "a node that offers less cpu than planned")
def _cpu(question: Question, group: Group, wanted: int) -> Answer:
    """The kubelet keeps cpu for itself, and clusters differ in how much. Where a node offers less than the pods
    planned for it ask for, some of them stay Pending.

    Fails:  nodes that offer 180 cpu for pods that ask for 190.
    Passes: nodes that offer 191 cpu; a smaller `resources.cpu`.
    """
    return _offer(question, group, "cpu_millis", wanted, "set a smaller resources.cpu")


@asks("PRE114", "a node that offers less memory than planned")
def _memory(question: Question, group: Group, wanted: int) -> Answer:
    """The kubelet, huge pages and HyperPod's agents keep memory for themselves, and clusters differ in how much.
    Where a node offers less than the pods planned for it ask for, some of them stay Pending.

    Fails:  nodes that offer 1800Gi for pods that ask for 1900Gi.
    Passes: a smaller `resources.memory`.
    """
    return _offer(question, group, "memory_mib", wanted, "set a smaller resources.memory")


@asks("PRE118", "a node that offers less ephemeral storage than planned")
def _storage(question: Question, group: Group, wanted: int) -> Answer:
    """Weights that each pod downloads fill the volume of the kubelet, and its pods request that room. On EKS and
    HyperPod this is the root or second EBS volume unless nodes put the kubelet on NVMe (nodeadm's localStorage RAID0,
    Karpenter's instanceStorePolicy RAID0): without the request the kubelet would evict them half way.

    Fails:  nodes with 80 GiB for pods that download 120Gi.
    Passes: a larger volume; weights on a claim (`model.uri: pvc://...`).
    """
    return _offer(question, group, "storage_mib", wanted, "give nodes a larger volume, or NVMe, for the kubelet")


_OFFERS = {"gpus": _gpus, "efa": _efa, "cpu_millis": _cpu, "memory_mib": _memory, "storage_mib": _storage}


def _offer(question: Question, group: Group, field: str, wanted: int, fix: str) -> Answer:
    """What the poorest nodes that the plan would have to use offer of a resource."""
    offered = sorted((getattr(node.offers, field) for node in group.usable), reverse=True)
    low, high = offered[-1], offered[0]
    found = _text(field, high) if low == high else f"{_text(field, low)} to {_text(field, high)}"
    enough = offered[min(group.pool.nodes, len(offered)) - 1] >= wanted
    return question.ok(found) if enough else question.short(found, fix)


def _fullest(group: Group) -> Need:
    """What the pods of the fullest node ask of it: all of them on a single node, else as many of one role as fit."""
    if group.pool.nodes == 1:
        return total(times(role.need, role.pods) for role in group.roles)
    return largest(times(role.need, min(role.pods_per_node, role.pods)) for role in group.roles)


@asks("PRE117", "nodes of an architecture without an image")
def _architecture(question: Question, group: Group, made: Sequence[str]) -> Answer:
    """A node pulls the image of its own CPU architecture, and llm-d's AWS image is not made for all.

    Fails:  nodes that report arm64 with llm-d v0.5.1, whose image is amd64 only.
    Passes: nodes that report amd64.
    """
    found = sorted({node.architecture for node in group.usable})
    if all(each in made for each in found):
        return question.ok(", ".join(found))
    return question.missing(", ".join(found), f"use nodes of {question.needed}: the image is for no other")


@asks("PRE120", "nodes that advertise no GPUs")
def _gpu_plugin(question: Question, nodes: Sequence[LiveNode], cluster: Cluster) -> Answer:
    """Kubernetes knows of GPUs only through a device plugin on the node itself. Without one, allocatable has no
    nvidia.com/gpu and every model server stays Pending. Usual causes are a plugin that is not installed, or whose
    DaemonSet does not reach the node for its taints or node affinity.

    Fails:  GPU nodes without nvidia.com/gpu among their allocatable resources.
    Passes: the same with the NVIDIA device plugin, the GPU operator or EKS Auto Mode.
    """
    return _plugin(question, gpu(), GPU_PLUGIN, nodes, cluster)


@asks("PRE121", "nodes that advertise no EFA interfaces")
def _efa_plugin(question: Question, nodes: Sequence[LiveNode], cluster: Cluster) -> Answer:
    """Kubernetes knows of EFA interfaces only through the EFA device plugin on the node itself. The node affinity
    of its chart lists plain EC2 names, so that it reaches no ml. node by default, nor nodes with the taint
    nvidia.com/gpu. A node that was launched without EFA interfaces has none to advertise either.

    Fails:  p5.48xlarge nodes without vpc.amazonaws.com/efa among their allocatable resources.
    Passes: the same with the DaemonSet aws-efa-k8s-device-plugin on them.
    """
    return _plugin(question, efa(), EFA_PLUGIN, nodes, cluster)


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
    for each in cluster.daemon_sets:
        pods = each.spec.template.spec
        if pods is not None and any(image_name(container.image) == image for container in pods.containers):
            return f"{each.metadata.namespace}/{each.metadata.name}"
    return None


@asks("PRE115", "no room beside the pods that run already")
def _room(question: Question, plan: Plan, group: Group, cluster: Cluster) -> Answer:
    """GPUs, interfaces, cpu and memory that running pods have requested are taken, whether they use them or not.
    All pods of the plan must fit into what is left on the usable nodes. Pods of an earlier rollout of the same
    deployment do not count, since the new ones take their place.

    Fails:  two nodes of 8 GPUs with another deployment on one, for a plan of 16 GPUs.
    Passes: the same after the other deployment is scaled down.
    """
    used = _used(plan, cluster)
    left = [minus(node.offers, used.get(node.name, NOTHING)) for node in group.usable]
    fitting = placed(group.pods, left)
    found = f"{fitting} pods fit beside what runs, {sum(max(0, room.gpus) for room in left)} GPUs free"
    if fitting == sum(count for _, count in group.pods):
        return question.ok(found)
    return question.short(found, "add nodes, scale other deployments down, or lower replicas")


@asks("PRE116", "no availability zone with room for all pods")
def _one_zone(question: Question, plan: Plan, groups: Sequence[Group], cluster: Cluster) -> Answer:
    """EFA traffic does not leave an availability zone, so that pods which exchange KV cache or collectives are kept
    in one. Enough nodes spread over two zones are not enough.

    Fails:  a plan for 2 nodes with one node in us-east-1a and one in us-east-1b.
    Passes: both in us-east-1a.
    """
    # A zone counts as many pods as find room on its nodes of all types together.
    # A pod with an affinity on the zone lands on no node without the label: such nodes are shown and do not count.
    used = _used(plan, cluster)
    fitting = dict.fromkeys(sorted({node.zone for group in groups for node in group.usable}), 0)
    for group in groups:
        for zone in fitting:
            nodes = [node for node in group.usable if node.zone == zone]
            fitting[zone] += placed(group.pods, [minus(node.offers, used.get(node.name, NOTHING)) for node in nodes])
    pods = sum(role.pods for role in plan.roles)
    found = ", ".join(f"{zone or 'no zone label'} {count}" for zone, count in fitting.items())
    if max((count for zone, count in fitting.items() if zone), default=0) == pods:
        return question.ok(found)
    return question.short(found, "have enough nodes in one zone: EFA does not leave it")


def _used(plan: Plan, cluster: Cluster) -> dict[str, Need]:
    """What running pods take of each node, by the node's name, pods of this very deployment left out."""
    own = tuple(f"{name}-" for name in plan.names.workload.values())
    used: dict[str, Need] = {}
    for pod in cluster.pods:
        node, meta = pod.spec.node_name, pod.metadata
        ended = pod.status.phase in ("Succeeded", "Failed")
        ours = meta.namespace == plan.names.namespace and meta.name.startswith(own)
        if node and not ended and not ours:
            used[node] = total((used.get(node, NOTHING), taken(pod)))
    return used


def _text(field: str, amount: int) -> str:
    if field in ("memory_mib", "storage_mib"):
        return mib_text(amount)
    return cpu_text(amount) if field == "cpu_millis" else str(amount)
