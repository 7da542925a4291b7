"""The model servers in a spec: each role's size, hardware and vLLM settings, the KV transfer and the cache tiers."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from llmdgen.spec.fields import AbsolutePath, Args, Base, Count, Cpu, Duration, Env, Size, Subdomain


class Parallelism(Base, frozen=True, kw_only=True):
    tensor: Count | None = None
    """Tensor parallel size: GPUs that share each layer. Default: by the weights; 1 in wide-ep. Example: 4"""
    data: Count | None = None
    """Data parallel size over all pods of one replica. Default: dataLocal x workers. Example: 16"""
    data_local: Count | None = None
    """Data parallel ranks in each pod. Default: 1; in wide-ep one for each GPU. Example: 8"""
    workers: Count | None = None
    """Pods of one replica (LeaderWorkerSet size). Default: 1; in wide-ep the nodes that the weights need. Example: 2"""
    expert: bool | None = None
    """Expert parallelism: MoE experts spread over the tensor x data ranks. Default: true in wide-ep and where experts
    cannot be cut by the tensor parallel size, false else."""


class Resources(Base, frozen=True, kw_only=True):
    cpu: Cpu | None = None
    """CPU of each pod, request and limit. Default: the path's, at most 90 % of the pod's share of the node.
    Examples: ["16", 500m]"""
    memory: Size | None = None
    """Memory of each pod, request and limit; holds /dev/shm too. Default: the path's and the cache tiers', at most 90 %
    of the pod's share of the node. Example: 64Gi"""
    shm: Size | None = None
    """Size of the memory-backed /dev/shm. Default: the path's, at most a quarter of the memory. Example: 16Gi"""


class Rollout(Base, frozen=True, kw_only=True):
    max_unavailable: Annotated[int, Meta(ge=0, le=10000)] | None = None
    """Servers that may be missing meanwhile. Default: 0 where the plan has GPUs to spare, else 1."""
    max_surge: Annotated[int, Meta(ge=0, le=10000)] | None = None
    """Servers beyond replicas meanwhile. Default: 1 where the plan has GPUs to spare, else 0."""


class Role(Base, frozen=True, kw_only=True):
    replicas: Annotated[int, Meta(ge=1, le=10000)] | None = None
    """Independent model servers. Default: the path's; without prefill as many as fill a node, at least 2. Example: 4"""
    parallelism: Parallelism = Parallelism()
    """How one model server spreads over GPUs."""
    instance_type: str | None = None
    """Hardware of this role, where it differs from instanceTypes. Default: each of instanceTypes.
    Example: p5en.48xlarge"""
    efa: Literal["auto"] | Annotated[int, Meta(ge=0, le=64)] = "auto"
    """EFA interfaces of each pod. auto: the pod's share of the node's interfaces by GPUs, rounded down, at least 1,
    where pods talk over EFA; else 0. Examples: [auto, 4]"""
    startup: Duration | None = None
    """How long weights may take to arrive and to load; probes, engine timeouts and rollout deadlines follow. Default:
    the path's. Example: 45m"""
    drain: Duration | None = None
    """How long answers may go on once a pod is asked to end. Default: 2m. Example: 120s"""
    rollout: Rollout = Rollout()
    """How pods are replaced by new ones."""
    resources: Resources = Resources()
    """CPU, memory and shared memory of each pod."""
    args: Args = {}
    """vLLM flags without dashes: typed values, true/false for switches, maps and lists for JSON flags.
    Example: {max-num-seqs: 256}"""
    env: Env = {}
    """Environment of the vLLM container. Example: {VLLM_LOGGING_LEVEL: INFO}"""
    pod: dict[str, Any] = {}
    """Escape hatch: a part of a PodSpec, merged last and as Kubernetes merges it: containers, env and volumes by name,
    null deletes. What comes out is checked like everything else. Example: {priorityClassName: serving}"""


class Engine(Base, frozen=True, kw_only=True):
    args: Args = {}
    """vLLM flags of every role; a role's own win. Example: {max-model-len: 32000}"""
    env: Env = {}
    """Environment of every role's vLLM container; a role's own wins. Example: {VLLM_LOGGING_LEVEL: INFO}"""


class Transfer(Base, frozen=True, kw_only=True):
    backend: Literal["LIBFABRIC", "UCX"] = "LIBFABRIC"
    """NIXL backend of the KV transfer; only LIBFABRIC drives EFA.

    LIBFABRIC: NIXL over libfabric and EFA.
    UCX: NIXL over UCX, which does not drive EFA: TCP, on pods without EFA.
    """
    cross_layers_blocks: bool = False
    """One contiguous block for all layers; only where the release's vLLM reads it."""


class CpuCache(Base, frozen=True, kw_only=True):
    connector: Literal["offloading", "lmcache"] | None = None
    """What moves blocks to CPU memory. Default: offloading; lmcache beside disk or storage up to llm-d v0.6.0.

    offloading: vLLM's own OffloadingConnector; CPU memory alone.
    lmcache: LMCache, which can have disk and storage tiers below.
    """
    size: Size | None = None
    """CPU memory for KV blocks in each pod. Default: two fifths of the pod's share of the node's memory.
    Example: 100Gi"""


class DiskCache(Base, frozen=True, kw_only=True):
    path: AbsolutePath | None = None
    """Directory of the mounted NVMe. Default: kv below where the platform mounts it, /mnt/k8s-disks/0 on EKS and
    /opt/dlami/nvme on HyperPod. Example: /mnt/k8s-disks/0/kv"""
    size: Size | None = None
    """Disk space for KV blocks of each pod, to which lmcache keeps itself, and the pod keeps offloading. Default: four
    fifths of the pod's share of the node's NVMe. Example: 2Ti"""


class StorageCache(Base, frozen=True, kw_only=True):
    claim: Subdomain
    """PersistentVolumeClaim on a shared file system (FSx for Lustre, EFS). Example: kv-cache"""
    size: Size | None = None
    """Space for KV blocks on the claim, to which the pods keep it; with lmcache nothing does. Default: 1Ti. Example:
    18Ti"""


class Cache(Base, frozen=True, kw_only=True):
    cpu: CpuCache | None = None
    """KV cache tier in CPU memory. Default: there, with the sizes of the path."""
    disk: DiskCache | None = None
    """KV cache tier on the node's NVMe. Default: none."""
    storage: StorageCache | None = None
    """KV cache tier on shared storage. Default: none."""
