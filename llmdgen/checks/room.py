"""Room on a node: pods, /dev/shm and caches in memory against what a node really offers, as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from llmdgen.findings import Route
from llmdgen.kube.node import (
    Placed,
    demand,
    gpu,
    hugepages_mib,
    instance_types,
    node_of,
    on_hyperpod,
    placed,
    room_of,
    runs_models,
)
from llmdgen.kube.room import UNLIMITED, fitting
from llmdgen.kube.servers import Engine, Servers
from llmdgen.kube.vllm import cpu_cache
from llmdgen.kube.workload import SHARED_MEMORY, Container, limit_of, mounted_at
from llmdgen.quantities import GIB, MIB, bytes_or_none, cpu_text, mib_text
from llmdgen.registry import Draft, rule
from llmdgen.untyped import at, maps

# Host memory of each rank beside caches: CUDA context, NCCL and pinned staging buffers. An estimate.
RANK_MIB = 4096
PROCESSES_MIB = 512  # /dev/shm of each rank of several in a pod; 256 were too few for NCCL (llm-d's wide-ep-lws)
LIMITS = ("resources", "limits")
CPU_TIER = ("spec", "cache", "cpu", "size")


@rule("FIT001", "error", "a pod that fits on no node")
def a_pod_fits_an_empty_node(servers: Servers) -> Iterator[Draft]:
    """A pod that asks for more GPUs, cpu or memory than an empty node can allocate stays Pending for ever. What a node
    can allocate is less than what it has; HyperPod keeps more for itself than EKS.

    Fails:  `{path: wide-ep, decode: {parallelism: {dataLocal: 16}}}` on p5.48xlarge;
            `{decode: {resources: {cpu: "200"}}}` there, which offers 191.
    Passes: `{path: wide-ep, decode: {parallelism: {data: 16}}}`, two pods of 8 GPUs.
    """
    for pod in placed(servers.engines):
        vllm, node, has, need = pod.vllm, pod.node, pod.room, pod.need
        role, kept = pod.role, " on HyperPod" if on_hyperpod(vllm.workload) else ""
        tensor = vllm.size("tensor-parallel-size", 1)
        if need.gpus > has.gpus:
            if tensor <= has.gpus:  # a larger one is VLLM018's
                ranks = f"tensor {tensor} x {vllm.ranks} local data parallel ranks"
                says = f"a {role} pod needs {need.gpus} GPUs ({ranks}), {node.name} has {has.gpus}"
                yield vllm.found(*LIMITS, gpu(), says=says, fix=_fewer_gpus(vllm, has.gpus))
            continue
        pods = has.gpus // need.gpus if need.gpus else 1
        if need.cpu_millis > has.cpu_millis:
            asks, offers = cpu_text(need.cpu_millis), cpu_text(has.cpu_millis)
            says = f"a {role} pod asks for {asks} cpu, {node.name} can allocate {offers}{kept}"
            yield vllm.found(*LIMITS, "cpu", says=says, fix=f'set cpu: "{_cores(has.cpu_millis // pods)}" or less')
        if need.memory_mib > has.memory_mib:
            asks, offers = mib_text(need.memory_mib), gib(has.memory_mib)
            says = f"a {role} pod asks for {asks} memory, {node.name} can allocate {offers}{kept}"
            fix = f"set memory: {gib(has.memory_mib // pods)} or less"
            yield vllm.found(*LIMITS, "memory", says=says, fix=fix)
        pages = hugepages_mib(vllm.workload)
        if pages > node.hugepages_mib:
            says = f"a {role} pod asks for {pages}Mi of huge pages, {node.name} has {node.hugepages_mib}Mi"
            yield vllm.found("resources", says=says, fix="ask for less, or for none")


@rule("FIT002", "warning", "GPUs idle for want of cpu or memory")
def cpu_and_memory_last_for_all_gpus(servers: Servers) -> Iterator[Draft]:
    """Where pods use up a node's cpu or memory before its GPUs, the GPUs that are left stay idle.

    Fails:  `{decode: {replicas: 4, parallelism: {tensor: 2}, resources: {cpu: "64"}}}` on p5.48xlarge, which holds 2.
    Passes: `{decode: {replicas: 4, parallelism: {tensor: 2}, resources: {cpu: "47"}}}`.
    """
    for pod in placed(servers.engines):
        has, need = pod.room, pod.need
        per_node, scarce = fitting(need, has)
        if not need.gpus or not per_node or scarce not in ("cpu", "memory") or not _uses_up(servers, pod, per_node):
            continue
        by_gpus = has.gpus // need.gpus
        asks = {"cpu": cpu_text(need.cpu_millis), "memory": mib_text(need.memory_mib)}[scarce]
        fixes = {"cpu": f'"{_cores(has.cpu_millis // by_gpus)}"', "memory": gib(has.memory_mib // by_gpus)}
        pods = f"{per_node} {pod.role} pods fit on {pod.node.name}"
        says = f"with {asks} {scarce} each, {pods}, whose GPUs are enough for {by_gpus}"
        yield pod.vllm.found(*LIMITS, scarce, says=says, fix=f"set {scarce}: {fixes[scarce]} or less")


@rule("FIT006", "error", "/dev/shm larger than the container's memory")
def shared_memory_fits(vllm: Engine) -> Iterator[Draft]:
    """/dev/shm is memory and counts against the container's limit. Filled beyond it, the container is killed.

    Fails:  `{decode: {resources: {memory: 16Gi, shm: 20Gi}}}`.
    Passes: `{decode: {resources: {memory: 64Gi, shm: 16Gi}}}`.
    """
    for index, size, memory in _in_memory(vllm):
        # Memory below 1Gi is a quantity without its unit, which is K8S002's.
        if memory < GIB or (size is not None and size < memory):
            continue
        holds = "as much as the node has" if size is None else mib_text(size // MIB)
        larger = "" if size is None else f", or memory: {gib_up(4 * size // MIB)}"
        says = f"/dev/shm of {holds} does not fit into {mib_text(memory // MIB)} of memory, which it counts against"
        fix = f"set shm: {mib_text(max(1, memory // MIB // 4))}{larger}"
        yield vllm.workload.found(*vllm.workload.in_template("spec", "volumes", index), says=says, fix=fix)


@rule("FIT012", "warning", "/dev/shm of more than half of the container's memory")
def shared_memory_leaves_room(vllm: Engine) -> Iterator[Draft]:
    """/dev/shm counts against the container's memory. Above half of it, a full /dev/shm leaves too little to the
    engine, whose weights pass through host memory while they load.

    Fails:  `{decode: {resources: {memory: 24Gi, shm: 20Gi}}}`.
    Passes: `{decode: {resources: {memory: 64Gi, shm: 16Gi}}}`.
    """
    for index, size, memory in _in_memory(vllm):
        cache = cpu_cache(vllm)
        held = cache.bytes if cache is not None and cache.in_shm else 0  # what the engine knows of
        if size is not None and (memory - held) / 2 < size - held < memory - held:
            says = f"/dev/shm may take {mib_text(size // MIB)} of the container's {mib_text(memory // MIB)}"
            fix = f"set memory: {gib_up(2 * size // MIB)}, or shm: {mib_text(max(1, memory // MIB // 4))}"
            yield vllm.workload.found(*vllm.workload.in_template("spec", "volumes", index), says=says, fix=fix)


@rule("FIT017", "error", "/dev/shm that is too small", read=True)
def shared_memory_suffices(vllm: Engine) -> Iterator[Draft]:
    """vLLM's TieringOffloadingSpec fills a file in /dev/shm as large as its CPU tier when it starts, and dies where
    that does not fit. Processes of several GPUs talk through /dev/shm as well: vLLM's ring buffer takes 160 MiB, NCCL's
    segments come on top, and 2Gi were too few for 8 ranks.

    Fails:  `{path: tiered-prefix-cache, cache: {cpu: {size: 64Gi}, storage: {claim: kv}}, decode: {resources: {shm:
            20Gi}}}`; `{decode: {parallelism: {tensor: 8}, resources: {shm: 1Gi}}}`.
    Passes: `{path: tiered-prefix-cache, cache: {cpu: {size: 64Gi}, storage: {claim: kv}}}`, which makes room for it.
    """
    cache = cpu_cache(vllm)
    tier = cache.bytes if cache is not None and cache.in_shm else 0
    least = tier + (PROCESSES_MIB * MIB * vllm.gpus if vllm.gpus > 1 else 0)
    for index, size, _ in _in_memory(vllm):
        if size is not None and size < least:
            needs = [f"the CPU tier's file of {mib_text(tier // MIB)}"] if tier else []
            needs += [f"{vllm.gpus} ranks of {PROCESSES_MIB}Mi"] if vllm.gpus > 1 else []
            says = f"/dev/shm of {mib_text(size // MIB)} does not hold {' and '.join(needs)}"
            fix = f"set shm: {gib_up(least // MIB)} or more, or leave it out"
            yield vllm.workload.found(*vllm.workload.in_template("spec", "volumes", index), says=says, fix=fix)


@rule("FIT007", "error", "a CPU cache tier larger than its container")
def cpu_tier_fits(servers: Servers) -> Iterator[Draft]:
    """KV blocks in CPU memory, /dev/shm and the engine itself share the container's memory. What is above it is killed
    by the kernel once the cache is full, hours after the start.

    Fails:  `{path: tiered-prefix-cache, cache: {cpu: {size: 400Gi}}, decode: {resources: {memory: 200Gi}}}`.
    Passes: `{path: tiered-prefix-cache, cache: {cpu: {size: 100Gi}}}` without resources, which makes room for it.
    """
    for tier in _tiers(servers):
        workload, node = tier.vllm.workload, node_of(tier.vllm.workload)
        if tier.cache + tier.shm <= tier.memory:
            continue
        wanted = tier.cache + tier.shm + tier.engine
        on = f" on {node.name}" if node is not None else ""
        says = f"{tier} do not fit into the {mib_text(tier.memory)} of a {workload.role} pod{on}"
        if wanted <= tier.most:
            yield tier.vllm.found(*LIMITS, "memory", says=says, fix=f"set memory: {gib_up(wanted)}")
        else:
            yield workload.found(*tier.place, says=says, fix=tier.smaller(servers))


@rule("FIT013", "warning", "a CPU cache tier that leaves the engine no memory")
def cpu_tier_leaves_room(servers: Servers) -> Iterator[Draft]:
    """Beside KV blocks and /dev/shm each rank needs host memory of its own, about 4 GiB. A container without it is
    killed when the cache has filled up. In llm-d v0.9.0 OffloadingConnector pins the blocks of each rank, which rounds
    them up to a power of two.

    Fails:  `{path: tiered-prefix-cache, cache: {cpu: {connector: lmcache, size: 400Gi}}, decode: {parallelism: {tensor:
            2}}}` on p5.48xlarge, where a pod has 425Gi.
    Passes: `{path: tiered-prefix-cache, cache: {cpu: {connector: lmcache, size: 300Gi}}, decode: {parallelism: {tensor:
            2}}}` there.
    """
    for tier in _tiers(servers):
        held = max(tier.cache, tier.pinned) + tier.shm
        if tier.cache + tier.shm <= tier.memory < held + tier.engine:
            pod = f"the {mib_text(tier.memory)} of a {tier.vllm.workload.role} pod"
            left = gib(max(0, tier.memory - held))
            says = f"{tier} leave {left} of {pod} to {tier.vllm.gpus} ranks"
            yield tier.vllm.workload.found(*tier.place, says=says, fix=tier.smaller(servers))


class _Tier(Struct, frozen=True, kw_only=True):
    """KV blocks in the memory of a pod, all in MiB. `engine` is what its ranks need beside them, `most` what the pod
    might have on its node, `place` where the size is given, `pinned` the blocks with what pinning adds, 0 if none.
    """

    vllm: Container
    place: Route
    cache: int
    shm: int
    memory: int
    engine: int
    most: int
    pinned: int

    def __str__(self) -> str:
        pinned = f", pinned as {gib(self.pinned)}," if self.pinned > self.cache else ""
        return f"{gib(self.cache)} of KV blocks{pinned} and {mib_text(self.shm)} of /dev/shm"

    def smaller(self, servers: Servers) -> str:
        mib = self.memory - self.shm - self.engine
        if self.pinned and mib > self.vllm.gpus:
            mib = (1 << (mib // self.vllm.gpus).bit_length() - 1) * self.vllm.gpus
        if mib < 1024:
            return "use an instance type with more memory"
        if servers.spec_route(self.vllm.workload.manifest, self.place) in (CPU_TIER, ()):
            return f"set cache.cpu.size: {gib(mib)} or less"
        return f"let all ranks of a pod hold {gib(mib)} or less, or use spec.cache.cpu, which sizes the pod for it"


def _tiers(servers: Servers) -> Iterator[_Tier]:
    for vllm in servers.engines:
        memory, cache = bytes_or_none(vllm.quantity("memory")), cpu_cache(vllm)
        if memory is None or cache is None or not runs_models(vllm.workload):
            continue
        shared, has, need = mounted_at(vllm, SHARED_MEMORY), room_of(vllm.workload), demand(vllm.workload)
        pods = max(1, has.gpus // need.gpus) if has is not None and need.gpus else 1
        limit = (bytes_or_none(limit_of(shared)) or 0) if shared else 0
        yield _Tier(
            vllm=vllm,
            place=cache.place,
            cache=cache.bytes // MIB,
            shm=max(0, limit - cache.bytes if cache.in_shm else limit) // MIB,
            memory=memory // MIB,
            engine=RANK_MIB * vllm.gpus,
            most=has.memory_mib // pods if has is not None else UNLIMITED,
            pinned=cache.pinned // MIB,
        )


def _in_memory(vllm: Container) -> Iterator[tuple[int, int | None, int]]:
    """Volumes in memory that vLLM mounts: the index of each, its limit and the container's memory, in bytes."""
    memory = bytes_or_none(vllm.quantity("memory"))
    mounted = [each.get("name") for each in vllm.list_of("volumeMounts")]
    for index, volume in maps(vllm.workload.spec.get("volumes")) if memory else ():
        if at(volume, "emptyDir", "medium") == "Memory" and volume.get("name") in mounted:
            yield index, bytes_or_none(limit_of(volume)), memory or 0


def _uses_up(servers: Servers, pod: Placed, per_node: int) -> bool:
    """Whether the pods fill a node, so that what is left of it could have held one more of them."""
    workload = pod.vllm.workload
    pods = workload.replicas * workload.size
    others = [each for each in servers.model_servers if each.manifest is not workload.manifest]
    shares = any(instance_types(each) == instance_types(workload) for each in others)
    return pods > per_node or (shares and pods == per_node)


def _fewer_gpus(vllm: Container, gpus: int) -> str:
    """Parallelism that a node can hold; the rest on further nodes."""
    local = gpus // vllm.size("tensor-parallel-size", 1)
    data = vllm.size("data-parallel-size", 1)
    pods = -(-data // local)
    if vllm.workload.manifest.kind == "LeaderWorkerSet":
        return f"set dataLocal: {local}, which makes {pods} pods of {data} ranks"
    return f"set dataLocal: {local} and data: {local}, and replicas: {vllm.workload.replicas * pods} for the same ranks"


def _cores(millis: int) -> str:
    return str(max(1, millis // 1000))


def gib(mib: int) -> str:
    """Whole GiB, rounded down; MiB below one."""
    return f"{mib // 1024}Gi" if mib >= 1024 else f"{mib}Mi"


def gib_up(mib: int) -> str:
    return f"{-(-mib // 1024)}Gi"
