"""Resources: that a pod can be placed on the node it selects, and uses what it is given."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from llmdgen.facts.catalogue import HYPERPOD_PREFIX, UnknownFact, instance
from llmdgen.facts.types import Allocatable, Instance
from llmdgen.kube.workload import Workload
from llmdgen.quantities import MIB, to_bytes, to_millis
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.rendered import Rendered

INSTANCE_TYPE = "node.kubernetes.io/instance-type"
GPU = "nvidia.com/gpu"
EFA = "vpc.amazonaws.com/efa"
HUGEPAGES = "hugepages-2Mi"
_PLAIN = ("cpu", "memory", "ephemeral-storage")


class Demand(Struct, frozen=True):
    """What one pod asks of its node. cpu in millicores, memory and hugepages in MiB."""

    gpus: int
    efa: int
    cpu_millis: int
    memory_mib: int
    hugepages_mib: int


@rule("VER060", "error", "a device or huge pages are requested otherwise than limited")
def devices_are_requested_as_limited(rendered: Rendered) -> Iterator[Draft]:
    """Extended resources cannot be overcommitted: the API server refuses a pod whose request differs from the limit,
    and one that asks for part of a device. Huge pages follow the same rule.

    Fails:  limits vpc.amazonaws.com/efa 4, requests vpc.amazonaws.com/efa 1.
    Passes: 4 and 4.
    """
    for workload in rendered.workloads:
        for container in workload.containers:
            resources = mapping(container.doc.get("resources"))
            names = {*mapping(resources.get("limits")), *mapping(resources.get("requests"))}
            for name in sorted(str(each) for each in names if str(each) not in _PLAIN):
                limit, request = container.quantity(name), container.quantity(name, "requests")
                # A limit without a request is a request too, but not the other way round.
                if limit is None or (request is not None and request != limit):
                    yield found(
                        *container.route,
                        "resources",
                        says=f"container {container.name} limits {name} to {limit} and requests {request}",
                        fix="write the same amount in limits and requests",
                        of=workload.manifest,
                    )
                elif not name.startswith("hugepages-") and not limit.isdigit():
                    yield found(
                        *container.route,
                        "resources",
                        says=f"{name} is {limit}, a device is whole",
                        fix="ask for a whole number",
                        of=workload.manifest,
                    )


@rule("VER061", "warning", "a model server's cpu or memory is limited otherwise than requested")
def model_servers_get_what_they_use(rendered: Rendered) -> Iterator[Draft]:
    """With requests equal to limits for every resource the pod is of class Guaranteed: it is the last to be evicted,
    and its node has what it may use. A model server that is evicted loads its weights again for minutes.

    Fails:  limits memory 512Gi without a memory request of the same size.
    Passes: cpu and memory equal on both sides.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is None:
            continue
        for name in ("cpu", "memory"):
            limit, request = vllm.quantity(name), vllm.quantity(name, "requests")
            if limit is None or (request is not None and request != limit):
                yield found(
                    *vllm.route,
                    "resources",
                    says=f"{name} is limited to {limit} and requested as {request}",
                    fix=f"write the same {name} in limits and requests",
                    of=workload.manifest,
                )


@rule("VER062", "error", "a pod asks for more than its node has")
def pods_fit_their_node(rendered: Rendered) -> Iterator[Draft]:
    """A pod that asks for more GPUs, EFA interfaces, cpu, memory or huge pages than the instance type of its
    nodeSelector can allocate stays Pending for ever. HyperPod nodes, selected by their ml. name, reserve more.

    Fails:  8 GPUs and 32 EFA interfaces on p4d.24xlarge, which has 4.
    Passes: 1 GPU and 4 EFA interfaces on p5.48xlarge.
    """
    for workload in rendered.model_servers:
        node = node_of(workload)
        if node is None:
            continue
        need = demand(workload)
        room = allocatable(workload, node)
        limits: list[tuple[str, int, int | None, str]] = [
            ("GPUs", need.gpus, node.gpu.count, ""),
            ("EFA interfaces", need.efa, attached(rendered, workload, node), ""),
            ("cpu", need.cpu_millis, room.cpu_millis if room else node.vcpus * 1000, "m"),
            ("memory", need.memory_mib, room.memory_mib if room else node.memory_gib * 1024, "Mi"),
            ("huge pages", need.hugepages_mib, node.hugepages_mib, "Mi"),
        ]
        for what, wanted, has, unit in limits:
            if has is not None and wanted > has:
                yield found(
                    *workload.in_template("spec"),
                    says=f"a pod asks for {wanted}{unit} of {what}, {node.name} allocates {has}{unit}",
                    fix="ask for less, or select a larger instance type",
                    of=workload.manifest,
                )


@rule("VER063", "warning", "a node's GPUs cannot all be used")
def pods_share_their_node(rendered: Rendered) -> Iterator[Draft]:
    """Pods are packed by whatever runs out first. Where that is EFA, cpu or memory, GPUs of the node stay idle: more
    nodes are needed than the GPUs alone would say.

    Fails:  one-GPU pods with 1 EFA interface each on p4d.24xlarge: 4 of them, 4 GPUs idle.
    Passes: 8 pods with 1 GPU, 4 EFA interfaces and 1/8 of the memory on p5.48xlarge.
    """
    for workload in rendered.model_servers:
        node = node_of(workload)
        if node is None:
            continue
        need, room = demand(workload), allocatable(workload, node)
        by_gpu = node.gpu.count // need.gpus if need.gpus else 0
        wanted = min(by_gpu, workload.replicas * workload.size)
        shares = {
            "EFA interfaces": (need.efa, attached(rendered, workload, node)),
            "cpu": (need.cpu_millis, room.cpu_millis if room else node.vcpus * 1000),
            "memory": (need.memory_mib, room.memory_mib if room else node.memory_gib * 1024),
        }
        for what, (each, has) in shares.items():
            if each and has // each < wanted and has >= each:
                yield found(
                    *workload.in_template("spec"),
                    says=f"{node.name} has GPUs for {by_gpu} of these pods, but {what} for {has // each}",
                    fix=f"give each pod fewer {what}" if what == "EFA interfaces" else f"give each pod less {what}",
                    of=workload.manifest,
                )


@rule("VER064", "error", "a pod's EFA interfaces are not its share of the node's")
def efa_follows_the_gpus(rendered: Rendered) -> Iterator[Draft]:
    """A pod gets (EFA interfaces of the instance / its GPUs) x its GPUs, at least one, so that every GPU has its
    bandwidth and all pods fit on the node. A number set on purpose, in `efa` of the spec, stands in allocation.yaml as
    `efaFrom: override`, and then only the node's own number bounds it.

    Fails:  4 GPUs with 4 EFA interfaces on p5.48xlarge, where 4 GPUs have 16.
    Passes: 1 GPU with 4 EFA interfaces on p5.48xlarge.
    """
    for workload in rendered.model_servers:
        node, need = node_of(workload), demand(workload)
        by_hand = rendered.allocation(workload.role).get("efaFrom") == "override"
        if node is None or not need.efa or not node.gpu.count or by_hand:
            continue
        share = max(1, attached(rendered, workload, node) * need.gpus // node.gpu.count)
        if need.efa != share:
            yield found(
                *workload.in_template("spec"),
                says=f"{need.gpus} GPUs of {node.name} have {share} EFA interfaces, the pod asks for {need.efa}",
                fix=f"ask for {share}, or state the number in the spec",
                of=workload.manifest,
            )


@rule("VER065", "error", "/dev/shm is larger than the memory limit")
def shared_memory_fits(rendered: Rendered) -> Iterator[Draft]:
    """A memory-backed volume counts against the memory limit of the container that fills it: a /dev/shm of that size or
    more ends in an out-of-memory kill instead of a full file system.

    Fails:  memory 16Gi with an emptyDir of medium Memory and sizeLimit 16Gi.
    Passes: memory 64Gi, /dev/shm 16Gi.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        memory = _bytes(vllm.quantity("memory")) if vllm is not None else 0
        mounted = {each.get("name") for each in vllm.list_of("volumeMounts")} if vllm is not None else set()
        for index, volume in enumerate(map(mapping, items(workload.spec.get("volumes")))):
            directory = mapping(volume.get("emptyDir"))
            if directory.get("medium") != "Memory" or volume.get("name") not in mounted or not memory:
                continue
            size = _bytes(directory.get("sizeLimit"))
            if not size or size >= memory:
                yield found(
                    *workload.in_template("spec", "volumes", index),
                    says=f"{volume.get('name')} may hold {directory.get('sizeLimit', 'as much as the node has')}, the "
                    f"container {memory // MIB}Mi in all",
                    fix="set a sizeLimit below the memory limit",
                    of=workload.manifest,
                )


@rule("VER066", "error", "vLLM uses another number of GPUs than the pod gets")
def gpus_match_the_parallelism(rendered: Rendered) -> Iterator[Draft]:
    """Tensor parallel size times the pod's data parallel ranks is what vLLM uses: with fewer GPUs it does not start,
    with more the rest is idle and paid for.

    Fails:  --tensor-parallel-size 4 in a pod with nvidia.com/gpu 2.
    Passes: --tensor-parallel-size 4, nvidia.com/gpu 4.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is not None and vllm.gpus != vllm.count(GPU):
            yield found(
                *vllm.route,
                "resources",
                says=f"vLLM uses {vllm.gpus} GPUs, the container gets {vllm.count(GPU)}",
                fix="make parallelism and nvidia.com/gpu agree",
                of=workload.manifest,
            )


@rule("VER067", "error", "a model server can land on any node")
def model_servers_select_their_node(rendered: Rendered) -> Iterator[Draft]:
    """What was checked holds for one instance type: the pods must select it, by a name that exists, and as the platform
    writes it (HyperPod's ml. names are labels of HyperPod's nodes only).

    Fails:  no nodeSelector; node.kubernetes.io/instance-type: p5.48xl.
    Passes: node.kubernetes.io/instance-type: p5.48xlarge.
    """
    for workload in rendered.model_servers:
        place = workload.in_template("spec", "nodeSelector")
        names = instance_types(workload)
        if not names:
            yield found(
                *place, says=f"the pods select no {INSTANCE_TYPE}", fix=f"select {INSTANCE_TYPE}", of=workload.manifest
            )
        for name in names:
            if _instance(name) is None:
                says = f"there is no instance type {name}"
                yield found(*place, says=says, fix="see llmdgen list instances", of=workload.manifest)


@rule("VER068", "error", "a pod asks for a device that no node on AWS has")
def devices_exist(rendered: Rendered) -> Iterator[Draft]:
    """The guides ask for rdma/ib, which is InfiniBand's. No device plugin of EKS offers it, and the pod stays Pending.

    Fails:  rdma/ib: 1.
    Passes: vpc.amazonaws.com/efa: 4.
    """
    for workload in rendered.workloads:
        for container in workload.containers:
            resources = mapping(container.doc.get("resources"))
            names = {*mapping(resources.get("limits")), *mapping(resources.get("requests"))}
            for name in sorted(str(each) for each in names):
                if "/" in name and name not in (GPU, EFA):
                    yield found(
                        *container.route,
                        "resources",
                        says=f"container {container.name} asks for {name}",
                        fix=f"ask for {EFA} instead" if name.startswith("rdma/") else f"use {GPU} and {EFA} only",
                        of=workload.manifest,
                    )


def attached(rendered: Rendered, workload: Workload, node: Instance) -> int:
    """The EFA interfaces of a node: those that allocation.yaml says it has, at most what its type can have."""
    stated = rendered.allocation(workload.role).get("efaPerNode")
    return min(stated, node.efa.interfaces) if isinstance(stated, int) else node.efa.interfaces


def instance_types(workload: Workload) -> list[str]:
    """The instance types that the pods select, by node selector or required node affinity."""
    selected = workload.node_selector.get(INSTANCE_TYPE)
    if selected is not None:
        return [str(selected)]
    terms = at(
        workload.spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"
    )
    return [
        str(value)
        for term in items(terms)
        for expression in map(mapping, items(mapping(term).get("matchExpressions")))
        if expression.get("key") == INSTANCE_TYPE and expression.get("operator") == "In"
        for value in items(expression.get("values"))
    ]


def node_of(workload: Workload) -> Instance | None:
    """The facts of the one instance type that the pods select, None where it is not one or not known."""
    names = instance_types(workload)
    return _instance(names[0]) if len(names) == 1 else None


def demand(workload: Workload) -> Demand:
    """What one pod asks of its node: the sum of its containers' requests, limits where there are no requests."""
    containers = workload.containers
    return Demand(
        sum(each.count(GPU) for each in containers),
        sum(each.count(EFA) for each in containers),
        sum(_millis(each.quantity("cpu", "requests") or each.quantity("cpu")) for each in containers),
        sum(_bytes(each.quantity("memory", "requests") or each.quantity("memory")) for each in containers) // MIB,
        sum(_bytes(each.quantity(HUGEPAGES)) for each in containers) // MIB,
    )


def _instance(name: str) -> Instance | None:
    try:
        return instance(name)
    except UnknownFact:
        return None


def allocatable(workload: Workload, node: Instance) -> Allocatable | None:
    is_hyperpod = instance_types(workload)[0].startswith(HYPERPOD_PREFIX)
    return (node.hyperpod_allocatable if is_hyperpod else None) or node.allocatable


def _bytes(quantity: object) -> int:
    try:
        return to_bytes(str(quantity)) if quantity is not None else 0
    except ValueError:
        return 0


def _millis(quantity: str | None) -> int:
    try:
        return to_millis(quantity) if quantity is not None else 0
    except (KeyError, ValueError):
        return 0
