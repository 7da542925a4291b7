"""The model servers in a spec: each role's size, hardware and vLLM settings, the KV transfer and the cache tiers."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from llmdgen.spec.fields import Args, Base, Count, Cpu, Duration, Env, Size, Subdomain


class Parallelism(Base, frozen=True, kw_only=True):
    tensor: Annotated[
        Count | None,
        Meta(
            description="Tensor parallel size: GPUs that share each layer. Default: by the weights; 1 in wide-ep.",
            examples=[4],
        ),
    ] = None
    data: Annotated[
        Count | None,
        Meta(
            description="Data parallel size over all pods of one replica. Default: dataLocal x workers.", examples=[16]
        ),
    ] = None
    data_local: Annotated[
        Count | None,
        Meta(description="Data parallel ranks in each pod. Default: 1; in wide-ep one for each GPU.", examples=[8]),
    ] = None
    workers: Annotated[
        Count | None,
        Meta(
            description="Pods of one replica (LeaderWorkerSet size). Default: 1; in wide-ep the nodes that the weights "
            "need.",
            examples=[2],
        ),
    ] = None
    expert: Annotated[
        bool | None,
        Meta(
            description="Expert parallelism: MoE experts spread over the tensor x data ranks. Default: true in wide-ep "
            "and where experts cannot be cut by the tensor parallel size, false else.",
        ),
    ] = None


class Resources(Base, frozen=True, kw_only=True):
    cpu: Annotated[
        Cpu | None,
        Meta(
            description="CPU of each pod, request and limit. Default: the path's, at most 90 % of the pod's share of "
            "the node.",
            examples=["16", "500m"],
        ),
    ] = None
    memory: Annotated[
        Size | None,
        Meta(
            description="Memory of each pod, request and limit; holds /dev/shm too. Default: the path's and the cache "
            "tiers', at most 90 % of the pod's share of the node.",
            examples=["64Gi"],
        ),
    ] = None
    shm: Annotated[
        Size | None,
        Meta(
            description="Size of the memory-backed /dev/shm. Default: the path's, at most a quarter of the memory.",
            examples=["16Gi"],
        ),
    ] = None


class Rollout(Base, frozen=True, kw_only=True):
    max_unavailable: Annotated[
        Annotated[int, Meta(ge=0, le=10000)] | None,
        Meta(description="Servers that may be missing meanwhile. Default: 0 where the plan has GPUs to spare, else 1."),
    ] = None
    max_surge: Annotated[
        Annotated[int, Meta(ge=0, le=10000)] | None,
        Meta(description="Servers beyond replicas meanwhile. Default: 1 where the plan has GPUs to spare, else 0."),
    ] = None


class Role(Base, frozen=True, kw_only=True):
    replicas: Annotated[
        Annotated[int, Meta(ge=1, le=10000)] | None,
        Meta(
            description="Independent model servers. Default: the path's; without prefill as many as fill a node, at "
            "least 2.",
            examples=[4],
        ),
    ] = None
    parallelism: Annotated[Parallelism, Meta(description="How one model server spreads over GPUs.")] = Parallelism()
    instance_type: Annotated[
        str | None,
        Meta(
            description="Hardware of this role, where it differs from instanceTypes. Default: each of instanceTypes.",
            examples=["p5en.48xlarge"],
        ),
    ] = None
    efa: Annotated[
        Literal["auto"] | Annotated[int, Meta(ge=0, le=64)],
        Meta(
            description="EFA interfaces of each pod. auto: the pod's share of the node's interfaces by GPUs, rounded "
            "down, at least 1, where pods talk over EFA; else 0.",
            examples=["auto", 4],
        ),
    ] = "auto"
    startup: Annotated[
        Duration | None,
        Meta(
            description="How long weights may take to arrive and to load; probes, engine timeouts and rollout "
            "deadlines follow. Default: the path's.",
            examples=["45m"],
        ),
    ] = None
    drain: Annotated[
        Duration | None,
        Meta(
            description="How long answers may go on once a pod is asked to end. Default: 2m.",
            examples=["120s"],
        ),
    ] = None
    rollout: Annotated[Rollout, Meta(description="How pods are replaced by new ones.")] = Rollout()
    resources: Annotated[Resources, Meta(description="CPU, memory and shared memory of each pod.")] = Resources()
    args: Annotated[
        Args,
        Meta(
            description="vLLM flags without dashes: typed values, true/false for switches, maps and lists for JSON "
            "flags.",
            examples=[{"max-num-seqs": 256}],
        ),
    ] = {}
    env: Annotated[
        Env, Meta(description="Environment of the vLLM container.", examples=[{"VLLM_LOGGING_LEVEL": "INFO"}])
    ] = {}
    pod: Annotated[
        dict[str, Any],
        Meta(
            description="Escape hatch: a part of a PodSpec, merged last and as Kubernetes merges it: containers, env "
            "and volumes by name, null deletes. What comes out is checked like everything else.",
            examples=[{"priorityClassName": "serving"}],
        ),
    ] = {}


class Engine(Base, frozen=True, kw_only=True):
    args: Annotated[
        Args, Meta(description="vLLM flags of every role; a role's own win.", examples=[{"max-model-len": 32000}])
    ] = {}
    env: Annotated[
        Env,
        Meta(
            description="Environment of every role's vLLM container; a role's own wins.",
            examples=[{"VLLM_LOGGING_LEVEL": "INFO"}],
        ),
    ] = {}


class Transfer(Base, frozen=True, kw_only=True):
    backend: Annotated[
        Literal["LIBFABRIC", "UCX"],
        Meta(
            description="NIXL backend of the KV transfer; only LIBFABRIC drives EFA.",
        ),
    ] = "LIBFABRIC"
    cross_layers_blocks: Annotated[
        bool, Meta(description="One contiguous block for all layers; only where the release's vLLM reads it.")
    ] = False


class CpuCache(Base, frozen=True, kw_only=True):
    connector: Annotated[
        Literal["offloading", "lmcache"] | None,
        Meta(
            description="What moves blocks to CPU memory. Default: offloading; lmcache beside disk or storage up to "
            "llm-d v0.6.0.",
        ),
    ] = None
    size: Annotated[
        Size | None,
        Meta(
            description="CPU memory for KV blocks in each pod. Default: two fifths of the pod's share of the node's "
            "memory.",
            examples=["100Gi"],
        ),
    ] = None


class DiskCache(Base, frozen=True, kw_only=True):
    path: Annotated[
        Annotated[str, Meta(pattern=r"^/[-A-Za-z0-9._/]+$")] | None,
        Meta(
            description="Directory of the mounted NVMe. Default: kv below where the platform mounts it, "
            "/mnt/k8s-disks/0 on EKS and /opt/dlami/nvme on HyperPod.",
            examples=["/mnt/k8s-disks/0/kv"],
        ),
    ] = None
    size: Annotated[
        Size | None,
        Meta(
            description="Disk space for KV blocks of each pod, to which lmcache keeps; offloading fills what there is. "
            "Default: four fifths of the pod's share of the node's NVMe.",
            examples=["2Ti"],
        ),
    ] = None


class StorageCache(Base, frozen=True, kw_only=True):
    claim: Annotated[
        Subdomain,
        Meta(description="PersistentVolumeClaim on a shared file system (FSx for Lustre, EFS).", examples=["kv-cache"]),
    ]
    size: Annotated[
        Size | None,
        Meta(
            description="Space for KV blocks that the plan reckons with on the claim; nothing keeps to it. "
            "Default: 1Ti.",
            examples=["18Ti"],
        ),
    ] = None


class Cache(Base, frozen=True, kw_only=True):
    cpu: Annotated[
        CpuCache | None, Meta(description="KV cache tier in CPU memory. Default: there, with the sizes of the path.")
    ] = None
    disk: Annotated[DiskCache | None, Meta(description="KV cache tier on the node's NVMe. Default: none.")] = None
    storage: Annotated[StorageCache | None, Meta(description="KV cache tier on shared storage. Default: none.")] = None
