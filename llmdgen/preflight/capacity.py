"""Questions about nodes: enough of each planned type, what each offers, and the room beside what runs already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from llmdgen.kube.node import efa, gpu, instance_type_label
from llmdgen.kube.room import NAMES, NOTHING, Need, largest, minus, placed, times, total
from llmdgen.kube.workload import image_name
from llmdgen.planning.model import Plan, Pool
from llmdgen.preflight.answer import Answer, Forbidden, Reply, asks, missing, ok, short
from llmdgen.preflight.cluster import Cluster
from llmdgen.preflight.node import LiveNode, live_node, taken
from llmdgen.quantities import cpu_text, mib_text

SHOWN = 3  # nodes named in an answer
# A device plugin's image, by its name, and chart: the charts' own, and those that platforms bring.
GPU_PLUGIN = ("k8s-device-plugin", "nvidia-device-plugin")
EFA_PLUGIN = ("aws-efa-k8s-device-plugin", "aws-efa-k8s-device-plugin")


class Group:
    """The nodes of one planned instance type, and the roles of the plan that share them. What has to be asked of the
    cluster raises Forbidden where it refuses."""

    def __init__(self, plan: Plan, pool: Pool, cluster: Cluster) -> None:
        self.plan, self.pool, self.cluster = plan, pool, cluster
        self.roles = [role for role in plan.roles if role.name in pool.roles]
        self.pods = [(role.need, role.pods) for role in self.roles]
        self.label = self.roles[0].node.label

    @cached_property
    def labelled(self) -> list[LiveNode]:
        return [
            live_node(node, self.roles[0].node_selector, self.plan.tolerations)
            for node in self.cluster.nodes
            if node.labels.get(instance_type_label()) == self.label
        ]

    @cached_property
    def usable(self) -> list[LiveNode]:
        return [node for node in self.labelled if not node.obstacle]

    @property
    def fullest(self) -> Need:
        """What pods ask of the fullest node: all of them of a single one, else as many of one role as fit."""
        if self.pool.nodes == 1:
            return total(times(*pods) for pods in self.pods)
        return largest(times(role.need, min(role.pods_per_node, role.pods)) for role in self.roles)

    def left(self, used: Mapping[str, Need], zone: str | None = None) -> list[Need]:
        """What is left of the usable nodes, of one zone or of all, beside what is used of each by its name."""
        nodes = [node for node in self.usable if zone in (None, node.zone)]
        return [minus(node.offers, used.get(node.name, NOTHING)) for node in nodes]


def answers(plan: Plan, cluster: Cluster) -> Iterator[Answer]:
    """Everything that is asked about the nodes of a plan."""
    groups = [Group(plan, pool, cluster) for pool in plan.pools]
    for group in groups:
        yield _enough(f"nodes {group.label}", f"{group.pool.nodes} usable", group)
    try:
        usable = [group for group in groups if group.usable]
    except Forbidden:
        return  # said by each answer so far
    for group in usable:
        for field, ask in _OFFERS.items():
            if wanted := getattr(group.fullest, field):
                yield ask(f"{NAMES[field]} of {group.label}", f"{_text(field, wanted)} on a node", group)
        made, on = " or ".join(plan.server.architectures), f"on all {len(group.usable)} usable nodes of {group.label}"
        yield _architecture(f"architecture of {group.label}", made, group)
        yield _gpu_plugin(f"device plugin {gpu()}", on, group)
        if group.fullest.efa:
            yield _efa_plugin(f"device plugin {efa()}", on, group)
        yield _room(f"room on {group.label}", f"{sum(count for _, count in group.pods)} pods", group)
    if plan.one_zone and not plan.spec.asked.cluster.zone and usable == groups:
        needed = f"all {sum(role.pods for role in plan.roles)} pods in one zone"
        yield _one_zone("availability zone", needed, groups)


@asks("PRE110", "too few usable nodes of an instance type")
def _enough(group: Group) -> Reply:
    """Pods select nodes by the label node.kubernetes.io/instance-type (with ml. on HyperPod), on HyperPod by the
    health label Schedulable, by the zone and by `cluster.nodeSelector`. A node counts when it carries all these
    labels, is Ready, is not cordoned and has no taint that the pods do not tolerate. An autoscaler that makes nodes
    on demand has none to show before the pods are there.

    Fails:  a plan for 2 nodes of p5.48xlarge where one of two is cordoned.
    Passes: two Ready nodes.
    """
    if not group.labelled:
        # The other platform may have its nodes there.
        bare = group.label.removeprefix("ml.")
        other = bare if group.label != bare else f"ml.{bare}"
        fix = f"add nodes of {group.label}, or render for an instance type that the cluster has"
        if any(node.labels.get(instance_type_label()) == other for node in group.cluster.nodes):
            fix = f"nodes of {other} are there: set platform: {'eks' if other == bare else 'hyperpod'}"
        return missing("no such node", fix)
    found = f"{len(group.usable)} of {len(group.labelled)} usable"
    kept = [f"{node.name}: {node.obstacle}" for node in group.labelled if node.obstacle]
    if kept:
        found += f" ({'; '.join(kept[:SHOWN])}{f'; and {len(kept) - SHOWN} more' if len(kept) > SHOWN else ''})"
    if len(group.usable) >= group.pool.nodes:
        return ok(found)
    lacking = group.pool.nodes - len(group.usable)
    return short(found, f"make {lacking} more of the nodes usable, add nodes, or lower replicas")


@asks("PRE111", "a node that offers fewer GPUs than planned")
def _gpus(group: Group) -> Reply:
    """The plan packs pods by the GPUs of the instance type. A node with a failed GPU, or with MIG or time slicing,
    offers another number as allocatable nvidia.com/gpu, and pods of the planned size stay Pending.

    Fails:  p5.48xlarge nodes with 7 allocatable GPUs for pods that fill the node.
    Passes: 8 allocatable GPUs.
    """
    return _offer(group, "gpus", "repair the node, or switch MIG or time slicing off")


@asks("PRE112", "a node that offers fewer EFA interfaces than planned")
def _efa(group: Group) -> Reply:
    """What a node can allocate of vpc.amazonaws.com/efa is what was attached when it was launched, at most the
    maximum of its type. The plan counts on the maximum unless `cluster.efaPerNode` says otherwise.

    Fails:  p5.48xlarge nodes launched with 16 interfaces for pods that need 32 on one node.
    Passes: 32 interfaces; or `cluster: {efaPerNode: 16}`.
    """
    return _offer(group, "efa", "launch nodes with more interfaces, or set cluster.efaPerNode")


@asks("PRE113", "a node that offers less cpu than planned")
def _cpu(group: Group) -> Reply:
    """The kubelet keeps cpu for itself, and clusters differ in how much. Where a node offers less than the pods
    planned for it ask for, some of them stay Pending.

    Fails:  nodes that offer 180 cpu for pods that ask for 190.
    Passes: nodes that offer 191 cpu; a smaller `resources.cpu`.
    """
    return _offer(group, "cpu_millis", "set a smaller resources.cpu")


@asks("PRE114", "a node that offers less memory than planned")
def _memory(group: Group) -> Reply:
    """The kubelet, huge pages and HyperPod's agents keep memory for themselves, and clusters differ in how much.
    Where a node offers less than the pods planned for it ask for, some of them stay Pending.

    Fails:  nodes that offer 1800Gi for pods that ask for 1900Gi.
    Passes: a smaller `resources.memory`.
    """
    return _offer(group, "memory_mib", "set a smaller resources.memory")


@asks("PRE118", "a node that offers less ephemeral storage than planned")
def _storage(group: Group) -> Reply:
    """Weights that each pod downloads fill the volume of the kubelet, and its pods request that room. On EKS and
    HyperPod this is the root or second EBS volume unless nodes put the kubelet on NVMe (nodeadm's localStorage RAID0,
    Karpenter's instanceStorePolicy RAID0): without the request the kubelet would evict them half way.

    Fails:  nodes with 80 GiB for pods that download 120Gi.
    Passes: a larger volume; weights on a claim (`model.uri: pvc://...`).
    """
    return _offer(group, "storage_mib", "give nodes a larger volume, or NVMe, for the kubelet")


_OFFERS = {"gpus": _gpus, "efa": _efa, "cpu_millis": _cpu, "memory_mib": _memory, "storage_mib": _storage}


def _offer(group: Group, field: str, fix: str) -> Reply:
    """What the poorest nodes that the plan would have to use offer of a resource."""
    offered = sorted((getattr(node.offers, field) for node in group.usable), reverse=True)
    low, high = offered[-1], offered[0]
    found = _text(field, high) if low == high else f"{_text(field, low)} to {_text(field, high)}"
    enough = offered[min(group.pool.nodes, len(offered)) - 1] >= getattr(group.fullest, field)
    return ok(found) if enough else short(found, fix)


@asks("PRE117", "nodes of an architecture without an image")
def _architecture(group: Group) -> Reply:
    """A node pulls the image of its own CPU architecture, and llm-d's AWS image is not made for all.

    Fails:  nodes that report arm64 with llm-d v0.5.1, whose image is amd64 only.
    Passes: nodes that report amd64.
    """
    found, made = sorted({node.architecture for node in group.usable}), group.plan.server.architectures
    if all(each in made for each in found):
        return ok(", ".join(found))
    return missing(", ".join(found), f"use nodes of {' or '.join(made)}: the image is for no other")


@asks("PRE120", "nodes that advertise no GPUs")
def _gpu_plugin(group: Group) -> Reply:
    """Kubernetes knows of GPUs only through a device plugin on the node itself. Without one, allocatable has no
    nvidia.com/gpu and every model server stays Pending. Usual causes are a plugin that is not installed, or whose
    DaemonSet does not reach the node for its taints or node affinity.

    Fails:  GPU nodes without nvidia.com/gpu among their allocatable resources.
    Passes: the same with the NVIDIA device plugin, the GPU operator or EKS Auto Mode.
    """
    return _plugin(group, gpu(), *GPU_PLUGIN)


@asks("PRE121", "nodes that advertise no EFA interfaces")
def _efa_plugin(group: Group) -> Reply:
    """Kubernetes knows of EFA interfaces only through the EFA device plugin on the node itself. The node affinity
    of its chart lists plain EC2 names, so that it reaches no ml. node by default, nor nodes with the taint
    nvidia.com/gpu. A node that was launched without EFA interfaces has none to advertise either.

    Fails:  p5.48xlarge nodes without vpc.amazonaws.com/efa among their allocatable resources.
    Passes: the same with the DaemonSet aws-efa-k8s-device-plugin on them.
    """
    return _plugin(group, efa(), *EFA_PLUGIN)


def _plugin(group: Group, resource: str, image: str, chart: str) -> Reply:
    """Whether all nodes advertise the resource of a device plugin, and who should make them."""
    without = [node.name for node in group.usable if resource not in node.advertises]
    if not without:
        return ok("on all")
    says = f"none on {without[0]}" + (f" and {len(without) - 1} more" if len(without) > 1 else "")
    try:
        for each in group.cluster.daemon_sets:
            pods = each.spec.template.spec
            # The name as a whole: NVIDIA's is the end of EFA's own.
            if pods is not None and any(image_name(container.image) == image for container in pods.containers):
                there = f"DaemonSet {each.metadata.namespace}/{each.metadata.name}"
                fix = f"see whether node affinity and tolerations of {there} let it on these nodes, and its pods' logs"
                return missing(f"{says}; {there} is there", fix)
    except Forbidden:
        return missing(says, f"see whether the DaemonSet of {chart} runs on these nodes")
    return missing(f"{says}; no DaemonSet of {chart}", f"install the chart {chart}")


@asks("PRE115", "no room beside the pods that run already")
def _room(group: Group) -> Reply:
    """GPUs, interfaces, cpu and memory that running pods have requested are taken, whether they use them or not.
    All pods of the plan must fit into what is left on the usable nodes. Pods of an earlier rollout of the same
    deployment do not count, since the new ones take their place.

    Fails:  two nodes of 8 GPUs with another deployment on one, for a plan of 16 GPUs.
    Passes: the same after the other deployment is scaled down.
    """
    left = group.left(_used(group.plan, group.cluster))
    fitting = placed(group.pods, left)
    found = f"{fitting} pods fit beside what runs, {sum(max(0, room.gpus) for room in left)} GPUs free"
    if fitting == sum(count for _, count in group.pods):
        return ok(found)
    return short(found, "add nodes, scale other deployments down, or lower replicas")


@asks("PRE116", "no availability zone with room for all pods")
def _one_zone(groups: Sequence[Group]) -> Reply:
    """EFA traffic does not leave an availability zone, so that pods which exchange KV cache or collectives are kept
    in one. Enough nodes spread over two zones are not enough.

    Fails:  a plan for 2 nodes with one node in us-east-1a and one in us-east-1b.
    Passes: both in us-east-1a.
    """
    # A zone counts as many pods as find room on its nodes of all types together.
    # A pod with an affinity on the zone lands on no node without the label: such nodes are shown and do not count.
    used = _used(groups[0].plan, groups[0].cluster)
    zones = sorted({node.zone for group in groups for node in group.usable})
    fitting = {zone: sum(placed(group.pods, group.left(used, zone)) for group in groups) for zone in zones}
    pods = sum(count for group in groups for _, count in group.pods)
    found = ", ".join(f"{zone or 'no zone label'} {count}" for zone, count in fitting.items())
    if max((count for zone, count in fitting.items() if zone), default=0) == pods:
        return ok(found)
    return short(found, "have enough nodes in one zone: EFA does not leave it")


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
