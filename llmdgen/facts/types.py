"""The facts as types: instance types, models and releases, each read from a data file that names its sources.

Memory is in the unit that the field's name says; nothing here is computed from anything else.
"""

from typing import Any, Literal

from msgspec import Struct


class Fact(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of a facts file: immutable and closed to unknown keys, so that a typing error in a file is seen."""


class Gpu(Fact, frozen=True, kw_only=True):
    """The accelerators of a node. `count` is 0 where a node has only a fraction of a GPU."""

    model: str
    architecture: str | None = None
    count: int
    memory_mib: int | None = None


class Efa(Fact, frozen=True, kw_only=True):
    """The EFA interfaces a node can have attached at launch.

    `network_cards` is given where there are more of them, some without EFA.
    `rdma` says whether the interfaces read remote memory (FI_EFA_USE_DEVICE_RDMA aborts where they cannot);
    `gpudirect` whether they reach GPU memory, None where AWS does not say.
    """

    interfaces: int = 0
    network_cards: int | None = None
    generation: str | None = None
    rdma: bool = False
    gpudirect: bool | None = None
    bandwidth_gbps: int | None = None


class Allocatable(Fact, frozen=True, kw_only=True):
    """What pods may request on a node. cpu in millicores, memory in MiB."""

    cpu_millis: int
    memory_mib: int


class Instance(Fact, frozen=True, kw_only=True):
    """An EC2 instance type as an inference node. `hyperpod` is its ml. name, None where HyperPod does not offer it.

    `kind` is "ultraserver" for what is sold as one and is no node. `hugepages_mib` are set aside at boot, `allocatable`
    is what pods may request on EKS and `hyperpod_allocatable` on HyperPod. `confidence` and `disagreements` say how far
    the sources go, to whoever asks `llmdgen explain`.
    """

    name: str
    hyperpod: str | None = None
    kind: str = "instance"
    architecture: str
    vcpus: int
    memory_gib: int
    gpu: Gpu
    efa: Efa = Efa()
    nvme_gb: int = 0
    hugepages_mib: int = 0
    allocatable: Allocatable | None = None
    hyperpod_allocatable: Allocatable | None = None
    notes: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = ()
    confidence: str = "high"
    sources: tuple[str, ...]


class Layers(Fact, frozen=True, kw_only=True):
    """Attention layers by kind; only `full` and `sliding` layers hold KV blocks."""

    full: int
    sliding: int = 0
    linear: int = 0
    sliding_window: int | None = None


class Mla(Fact, frozen=True, kw_only=True):
    """Multi-head latent attention: one compressed KV vector a token and layer, a full copy on every TP rank.

    Sparse attention adds `indexer_bytes` to it, and has an FP8 format of its own, of `fp8_bytes` with the scales.
    """

    kv_lora_rank: int
    qk_rope_head_dim: int
    indexer_bytes: int = 0
    fp8_bytes: int | None = None


class Experts(Fact, frozen=True, kw_only=True):
    """A mixture of experts: `routed` experts in each MoE layer, `per_token` of them used for a token."""

    routed: int
    per_token: int
    shared: int = 0
    intermediate_size: int
    dense_layers: int = 0


class ModelFacts(Fact, frozen=True, kw_only=True):
    """A model's shape, as far as memory and parallelism depend on it. Sizes in bytes, KV widths in elements.

    `resident_weights` is the measured size in GPU memory over the checkpoint's, where it was measured;
    `repository_bytes` what a download of the whole repository takes, where that is more than the weights.
    `linear_state_bytes` is the state of linear attention for each sequence, over all TP ranks.
    `mtp_layers` are those of multi-token prediction, None where nothing says; their `mtp_bytes` are not in
    `weight_bytes`, because vLLM loads them only where it speculates with them.
    """

    id: str
    architecture: str
    parameters: int | None = None
    active_parameters: int | None = None
    weight_bytes: int
    weight_dtype: str
    repository_bytes: int | None = None
    resident_weights: float | None = None
    hidden_size: int
    attention_heads: int
    kv_heads: int
    head_dim: int | None = None
    layers: Layers
    mla: Mla | None = None
    linear_state_bytes: int = 0
    experts: Experts | None = None
    fp8_block: int | None = None
    mtp_layers: int | None = 0
    mtp_bytes: int = 0
    max_position_embeddings: int
    vocab_size: int | None = None
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...]


class Chart(Fact, frozen=True, kw_only=True):
    """A Helm chart pin. `repository` is an https:// index, or an oci:// address that ends in the chart's own name."""

    name: str
    version: str
    repository: str
    source: str


class ModelServer(Fact, frozen=True, kw_only=True):
    """A model server image, a variant of a release's.

    Its user is `user_id`, whose home is `home`; `command` starts vLLM and passes signals on to it.
    `environment` is set in every container; `caches` are variables whose folders must lie on a writable volume, as
    paths relative to its mount. `library_path` are directories that LD_LIBRARY_PATH lacks for NCCL between nodes, to be
    put before it.
    """

    image: str
    architectures: tuple[str, ...]
    user_id: int
    home: str
    command: tuple[str, ...]
    environment: dict[str, str] = {}
    caches: dict[str, str]
    library_path: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...]


class Withdrawn(Fact, frozen=True, kw_only=True):
    """That a registry no longer serves an image: who said so, and when where that has a day. `survives` is a copy
    elsewhere, of the version in its tag, `rebuild` what the image is made from."""

    source: str
    date: str | None = None
    says: str
    survives: str | None = None
    rebuild: str | None = None


class ProgramFlag(Fact, frozen=True, kw_only=True):
    """A flag of the scheduler or of the routing sidecar.

    `default` is None where the program has none. `one_of` are the words that it takes, with `or_whole` a number from 1
    too; `items` what its list may hold. `environment` is the variable that it is read from where it is not given,
    `port` says that it is a TCP port.
    """

    type: Literal["boolean", "whole", "text", "list", "duration"]
    default: bool | int | str | None = None
    one_of: tuple[str, ...] = ()
    or_whole: bool = False
    items: tuple[str, ...] = ()
    environment: str | None = None
    port: bool = False


class Release(Fact, frozen=True, kw_only=True):
    """An llm-d release: what its images hold and the charts that deploy it.

    `model_servers` are the variants of the model server's image, of which `default_model_server` names the one that is
    taken where a spec names none. `withdrawn` are of `images`, by the same names.
    """

    name: str
    date: str
    commit: str | None = None
    vllm: str
    nixl: str
    lmcache: str
    architectures: tuple[str, ...]
    images: dict[str, str]
    withdrawn: dict[str, Withdrawn] = {}
    model_servers: dict[str, ModelServer]
    default_model_server: str
    charts: dict[str, Chart]
    scheduler_flags: dict[str, str] = {}
    scheduler_resources: dict[str, dict[str, str]] = {}
    pool_failure_mode: Literal["FailClose", "FailOpen"]  # of the router's chart, where its values do not say it
    prerequisites: dict[str, Any]
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...]

    def model_server(self, variant: str | None = None) -> ModelServer:
        """The variant of that name, the default one without a name. Raises KeyError."""
        return self.model_servers[variant or self.default_model_server]
