"""Node fit: pods, containers and cache tiers against what a node of the instance type really offers."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks._places import asked, by_type, hardware, resources, runs_models, size
from llmdgen.composition.contribution import Tier
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.quantities import GIB, MIB, cpu_text, mib_text, to_bytes
from llmdgen.registry import Draft, found, rule

GB = 10**9
# Host memory of each rank beside caches: CUDA context, NCCL and pinned staging buffers. An estimate.
RANK_MIB = 4096


@rule("FIT001", "error", "a pod that fits on no node")
def a_pod_fits_an_empty_node(plan: Plan) -> Iterator[Draft]:
    """A pod that asks for more GPUs, cpu or memory than an empty node can allocate stays Pending for ever. What a node
    can allocate is less than what it has; HyperPod keeps more for itself than EKS.

    Fails:  wide-ep with parallelism {dataLocal: 16} on p5.48xlarge; resources {cpu: "200"} there, which offers 191.
    Passes: wide-ep with parallelism {data: 16}, two pods of 8 GPUs.
    """
    for role in plan.roles:
        if not runs_models(role) or role.pods_per_node:
            continue
        node, name, need = role.node, role.node.instance.name, role.size.gpus_per_pod
        kept = " on HyperPod" if plan.spec.spec.platform == "hyperpod" else ""
        if role.size.tensor <= node.gpus < need:
            yield found(
                *size(plan, role, "tensor", "dataLocal", "data"),
                says=f"a {role.name} pod needs {need} GPUs (tensor {role.size.tensor} x "
                f"{role.size.data_local} local data "
                f"parallel ranks), {name} has {node.gpus}",
                fix=_fewer_gpus(plan, role),
            )
        own = resources(plan, role)
        if node.cpu_millis is not None and role.cpu_millis > node.cpu_millis and (own.cpu or need <= node.gpus):
            yield found(
                "spec",
                role.name,
                "resources",
                "cpu",
                says=f"a {role.name} pod asks for {role.cpu} cpu, {name} can allocate "
                f"{cpu_text(node.cpu_millis)}{kept}",
                fix=f'set cpu: "{_cores(node.cpu_millis // _by_gpus(role))}" or less',
            )
        if node.memory_mib is not None and role.memory_mib > node.memory_mib and (own.memory or need <= node.gpus):
            yield found(
                "spec",
                role.name,
                "resources",
                "memory",
                says=f"a {role.name} pod asks for {role.memory} memory, {name} can allocate "
                f"{_gib(node.memory_mib)}{kept}",
                fix=f"set memory: {_gib(node.memory_mib // _by_gpus(role))} or less",
            )


@rule("FIT002", "warning", "GPUs idle for want of cpu or memory")
def cpu_and_memory_last_for_all_gpus(plan: Plan) -> Iterator[Draft]:
    """Where the pods of a node use up its cpu or memory before its GPUs, the GPUs that are left stay idle and the pods
    spread over more nodes.

    Fails:  4 decode pods with tensor: 2 and resources {cpu: "64"} on p5.48xlarge: 2 of them fit on a node.
    Passes: the same with cpu: "47".
    """
    for role in plan.roles:
        node, by_gpus = role.node, _by_gpus(role)
        if not role.pods_per_node or role.limited_by not in ("cpu", "memory") or not _uses_up(plan, role):
            continue
        cpu, memory = node.cpu_millis or 0, node.memory_mib or 0
        fixes = {"cpu": f'"{_cores(cpu // by_gpus)}"', "memory": _gib(memory // by_gpus)}
        asks = {"cpu": role.cpu, "memory": role.memory}[role.limited_by]
        yield found(
            "spec",
            role.name,
            "resources",
            role.limited_by,
            says=f"with {asks} {role.limited_by} each, {role.pods_per_node} {role.name} pods fit on "
            f"{node.instance.name}, "
            f"whose GPUs are enough for {by_gpus}",
            fix=f"set {role.limited_by}: {fixes[role.limited_by]} or less",
        )


@rule("FIT003", "error", "an image that the node cannot run")
def image_runs_on_the_node(plan: Plan) -> Iterator[Draft]:
    """A node pulls the image of its own CPU architecture. Where the release publishes none, containers stop with
    "exec format error" or the pull fails.

    Fails:  p6e-gb200.36xlarge, which is arm64, with llm-d v0.5.1, whose AWS image is amd64 only.
    Passes: p6-b200.48xlarge.
    """
    for role, _ in by_type(list(plan.roles)):
        architecture = role.node.instance.architecture
        if architecture not in plan.server.architectures and role.node.instance.kind == "instance":
            offered = " and ".join(plan.server.architectures)
            yield found(
                *hardware(plan, role),
                says=f"{role.node.instance.name} is {architecture}, the model server image of llm-d "
                f"{plan.release.name} is "
                f"{offered} only",
                fix=f"use an {offered} instance type, such as p6-b200.48xlarge",
            )


@rule("FIT004", "error", "an instance type that HyperPod does not offer")
def hyperpod_offers_the_type(plan: Plan) -> Iterator[Draft]:
    """HyperPod clusters are made of ml. instance types. G7, G6f and Gr6f have none, so no node ever carries the label
    that the pods select.

    Fails:  platform: hyperpod with g7.48xlarge.
    Passes: platform: hyperpod with g7e.48xlarge; platform: eks with g7.48xlarge.
    """
    if plan.spec.spec.platform != "hyperpod":
        return
    for role, _ in by_type(list(plan.roles)):
        if role.node.instance.hyperpod is None:
            yield found(
                *hardware(plan, role),
                says=f"HyperPod does not offer {role.node.instance.name}",
                fix="use another instance type, or platform: eks",
            )


@rule("FIT005", "error", "hardware that is no node with whole GPUs")
def nodes_have_whole_gpus(plan: Plan) -> Iterator[Draft]:
    """The device plugin offers whole GPUs. G6f and Gr6f have a fraction of one and advertise none; an UltraServer is a
    rack of nodes, not a node.

    Fails:  g6f.4xlarge; u-p6e-gb200x72.
    Passes: g6.4xlarge, p6-b200.48xlarge.
    """
    for role, _ in by_type(list(plan.roles)):
        instance = role.node.instance
        if instance.kind != "instance":
            yield found(
                *hardware(plan, role),
                says=f"{instance.name} is an UltraServer, a rack of nodes; pods run on its nodes",
                fix="name the instance type of its nodes, p6e-gb200.36xlarge",
            )
        elif not instance.gpu.count:
            yield found(
                *hardware(plan, role),
                says=f"{instance.name} has a fraction of a GPU, and its nodes offer no {plan.platform['gpu_resource']}",
                fix="use an instance type with whole GPUs, such as g6.4xlarge or g6e.4xlarge",
            )


@rule("FIT006", "error", "/dev/shm larger than the container's memory")
def shared_memory_fits(plan: Plan) -> Iterator[Draft]:
    """/dev/shm is memory and counts against the container's limit. Filled beyond it, the container is killed.

    Fails:  resources {memory: 16Gi, shm: 20Gi}.
    Passes: resources {memory: 64Gi, shm: 16Gi}.
    """
    for role in plan.roles:
        shm = to_bytes(role.shm)
        # Memory below 1Gi is a quantity without its unit, which is K8S002's.
        if shm >= role.memory_mib * MIB >= GIB:
            yield found(
                "spec",
                role.name,
                "resources",
                "shm",
                says=f"/dev/shm of {role.shm} does not fit into {role.memory} of memory, which it counts against",
                fix=f"set shm: {mib_text(max(1, role.memory_mib // 4))}, or memory: {_gib_up(4 * shm // MIB)}",
            )


@rule("FIT007", "error", "a CPU cache tier larger than its container")
def cpu_tier_fits(plan: Plan) -> Iterator[Draft]:
    """KV blocks in CPU memory, /dev/shm and the engine itself share the container's memory. What is above it is killed
    by the kernel once the cache is full, hours after the start.

    Fails:  cache {cpu: {size: 400Gi}} with decode {resources: {memory: 200Gi}}.
    Passes: cache {cpu: {size: 100Gi}} without resources, which makes room for it.
    """
    for role, tier in _tiers(plan, "cpu"):
        cache, shm = tier.bytes[role.name] // MIB, to_bytes(role.shm) // MIB
        engine = RANK_MIB * role.size.gpus_per_pod
        if cache + shm <= role.memory_mib:
            continue
        room = (role.node.memory_mib or 0) // _by_gpus(role)
        wanted = cache + shm + engine
        memory = resources(plan, role).memory
        raise_it = memory is not None and wanted <= room
        most = role.memory_mib - shm - engine
        yield found(
            *(("spec", role.name, "resources", "memory") if raise_it else ("spec", "cache", "cpu", "size")),
            says=f"{_gib(cache)} of KV blocks and {role.shm} of /dev/shm do not fit into the "
            f"{role.memory} of a {role.name} "
            f"pod on {role.node.instance.name}",
            fix=f"set memory: {_gib_up(wanted)}" if raise_it else _tier_size(most),
        )


@rule("FIT008", "error", "a disk cache tier larger than the node's NVMe")
def disk_tier_fits(plan: Plan) -> Iterator[Draft]:
    """All pods of a node share its NVMe, and each may fill its part. A full disk makes the kubelet evict pods.

    Fails:  cache {disk: {size: 10Ti}} with 4 pods on p5.48xlarge, which has 30.4 TB.
    Passes: cache {disk: {size: 6Ti}} there.
    """
    for role, tier in _tiers(plan, "disk"):
        instance = role.node.instance
        if not instance.nvme_gb:
            yield found(
                "spec",
                "cache",
                "disk",
                says=f"{instance.name} has no local NVMe",
                fix="use cache.storage, or an instance type with NVMe such as p5.48xlarge",
                on_key=True,
            )
            continue
        pods = min(role.pods, role.pods_per_node)
        if pods and tier.bytes[role.name] * pods > instance.nvme_gb * GB:
            most = instance.nvme_gb * GB // pods // GIB
            yield found(
                "spec",
                "cache",
                "disk",
                "size",
                says=f"{pods} {role.name} pods x {_gib(tier.bytes[role.name] // MIB)} on one node are more than the "
                f"{instance.nvme_gb} GB of NVMe of {instance.name}",
                fix=f"set size: {most}Gi or less",
            )


@rule("FIT010", "warning", "more than half of the GPUs idle")
def nodes_are_used(plan: Plan) -> Iterator[Draft]:
    """A node is paid for as a whole. Where a deployment leaves more than half of its nodes' GPUs idle, more replicas or
    a smaller instance type serve more for the same price, unless something else runs there.

    Fails:  one decode pod with tensor: 1 on p5.48xlarge.
    Passes: four decode pods with tensor: 2 on the same node.
    """
    for pool in plan.pools:
        roles = [role for role in plan.roles if role.name in pool.roles]
        if not pool.gpus or pool.gpus_used * 2 >= pool.gpus or not all(role.pods_per_node for role in roles):
            continue
        role = roles[-1]
        more = (pool.gpus - pool.gpus_used) // role.size.gpus_per_pod
        fits = (
            min(more, role.pods_per_node * pool.nodes - role.pods)
            if role.size.workers == 1 and role.limited_by == "GPUs"
            else 0
        )
        raise_it = f"set replicas of {role.name} to {role.size.replicas + fits}, or " if fits > 0 else ""
        yield found(
            *(("spec", role.name, "replicas") if asked(plan, role).replicas else hardware(plan, role)),
            says=f"the pods use {pool.gpus_used} of the {pool.gpus} GPUs of {pool.nodes} x {pool.instance}",
            fix=f"{raise_it}use an instance type with fewer GPUs",
        )


@rule("FIT011", "error", "a node selector that contradicts the instance type")
def selector_names_the_type(plan: Plan) -> Iterator[Draft]:
    """Every figure of a rendered directory, GPUs and EFA first, is that of its instance type. A selector in
    `cluster.nodeSelector` that names another one would win, and put the pods on other hardware.

    Fails:  instanceTypes: [p5.48xlarge] with nodeSelector {node.kubernetes.io/instance-type: p5en.48xlarge}.
    Passes: instanceTypes: [p5en.48xlarge].
    """
    label = plan.platform["instance_type_label"]
    named = plan.spec.spec.cluster.node_selector.get(label)
    for role in plan.roles:
        if named is not None and named != role.node.label:
            yield found(
                "spec",
                "cluster",
                "nodeSelector",
                label,
                says=f"the node selector names {named}, {role.name} is planned for {role.node.label}",
                fix=f"remove {label}: pods select their instance type without it",
            )
            return


@rule("FIT012", "warning", "/dev/shm of more than half of the container's memory")
def shared_memory_leaves_room(plan: Plan) -> Iterator[Draft]:
    """/dev/shm counts against the container's memory. Above half of it, a full /dev/shm leaves too little to the
    engine, whose weights pass through host memory while they load.

    Fails:  resources {memory: 24Gi, shm: 20Gi}.
    Passes: resources {memory: 64Gi, shm: 16Gi}.
    """
    for role in plan.roles:
        shm, memory = to_bytes(role.shm), role.memory_mib * MIB
        if memory / 2 < shm < memory:
            yield found(
                "spec",
                role.name,
                "resources",
                "shm",
                says=f"/dev/shm may take {role.shm} of the container's {role.memory}",
                fix=f"set memory: {_gib_up(2 * shm // MIB)}, or shm: {mib_text(max(1, role.memory_mib // 4))}",
            )


@rule("FIT013", "warning", "a CPU cache tier that leaves the engine no memory")
def cpu_tier_leaves_room(plan: Plan) -> Iterator[Draft]:
    """Beside KV blocks and /dev/shm each rank needs host memory of its own, about 4 GiB. A container without it is
    killed when the cache has filled up.

    Fails:  cache {cpu: {size: 400Gi}} with tensor: 2 on p5.48xlarge, where a pod has 425Gi.
    Passes: cache {cpu: {size: 300Gi}} there.
    """
    for role, tier in _tiers(plan, "cpu"):
        cache, shm = tier.bytes[role.name] // MIB, to_bytes(role.shm) // MIB
        engine = RANK_MIB * role.size.gpus_per_pod
        if cache + shm <= role.memory_mib < cache + shm + engine:
            yield found(
                "spec",
                "cache",
                "cpu",
                "size",
                says=f"{_gib(cache)} of KV blocks and {role.shm} of /dev/shm leave "
                f"{_gib(role.memory_mib - cache - shm)} of "
                f"the {role.memory} of a {role.name} pod to {role.size.gpus_per_pod} ranks",
                fix=_tier_size(role.memory_mib - shm - engine),
            )


@rule("FIT014", "warning", "a model server without cpu or memory of its own")
def ranks_have_room(plan: Plan) -> Iterator[Draft]:
    """Each rank has a process on the host with a CUDA context, pinned buffers and a thread that feeds the GPU: about
    4 GiB and a core. With less, the container is killed while weights load, or the probe gives up before they have.

    Fails:  resources {memory: 2Gi} with tensor: 2; resources {cpu: 200m}.
    Passes: resources {memory: 64Gi, cpu: "8"} there.
    """
    for role in plan.roles:
        own, ranks = resources(plan, role), role.size.gpus_per_pod
        least = RANK_MIB * ranks
        if own.memory and GIB // MIB <= role.memory_mib < least:
            says = f"{role.memory} of memory is little for {ranks} ranks of about {_gib(RANK_MIB)} each"
            fix = f"set memory: {_gib_up(least + to_bytes(role.shm) // MIB)} or more"
            yield found("spec", role.name, "resources", "memory", says=says, fix=fix)
        if own.cpu and 100 <= role.cpu_millis < 1000 * ranks:
            says = f"{role.cpu} cpu is less than a core for each of {ranks} ranks"
            yield found("spec", role.name, "resources", "cpu", says=says, fix=f'set cpu: "{ranks}" or more')


def _by_gpus(role: RolePlan) -> int:
    """Pods of the role that a node has GPUs for; at least one, to divide by."""
    return max(1, role.node.gpus // role.size.gpus_per_pod)


def _uses_up(plan: Plan, role: RolePlan) -> bool:
    """Whether the role fills a node, so that what is left of it could have held one more pod."""
    shares = any(role.name in pool.roles and len(pool.roles) > 1 for pool in plan.pools)
    return role.pods > role.pods_per_node or (shares and role.pods == role.pods_per_node)


def _fewer_gpus(plan: Plan, role: RolePlan) -> str:
    """Parallelism that a node can hold; the rest on further nodes."""
    local = role.node.gpus // role.size.tensor
    replicas = role.size.replicas * -(-role.size.data // local)
    if "wide-ep" in plan.paths:
        return f"set dataLocal: {local}, which makes {-(-role.size.data // local)} pods of {role.size.data} ranks"
    if ("spec", role.name, "parallelism", "dataLocal") in plan.spec.places:
        return f"set dataLocal: {local} and data: {local}, and replicas: {replicas} for the same ranks"
    return f"set data: {local} or less, and replicas: {replicas} for the same ranks"


def _tiers(plan: Plan, name: str) -> Iterator[tuple[RolePlan, Tier]]:
    for tier in plan.tiers:
        for role in plan.roles:
            if tier.name == name and role.name in tier.bytes and runs_models(role):
                yield role, tier


def _tier_size(mib: int) -> str:
    """The fix for a CPU tier that may have this much."""
    return f"set cache.cpu.size: {_gib(mib)} or less" if mib >= 1024 else "use an instance type with more memory"


def _cores(millis: int) -> str:
    return str(max(1, millis // 1000))


def _gib(mib: int) -> str:
    """Whole GiB, rounded down; MiB below one."""
    return f"{mib // 1024}Gi" if mib >= 1024 else f"{mib}Mi"


def _gib_up(mib: int) -> str:
    return f"{-(-mib // 1024)}Gi"
