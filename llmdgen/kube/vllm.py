"""What vLLM does in a pod: the attention backend that it is told, else chooses, and its KV blocks in CPU memory."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from llmdgen.facts.catalogue import gpu_fact, release_toml
from llmdgen.facts.types import Instance, ModelFacts
from llmdgen.findings import Route
from llmdgen.kube.node import node_of
from llmdgen.kube.workload import Container
from llmdgen.quantities import GIB
from llmdgen.untyped import at

BACKEND = "attention-backend"
OFFLOADING = "OffloadingConnector"
TIERING = "TieringOffloadingSpec"
EXTRA = "kv_connector_extra_config"
LMCACHE_SIZE = "LMCACHE_MAX_LOCAL_CPU_SIZE"  # in GiB, of each rank's own process


def generation(node: Instance | None) -> str:
    """The major compute capability of a node's GPUs: 9 is Hopper, 10 Blackwell; "" where no table has it."""
    found: str | None = gpu_fact("capability", node.gpu.model) if node is not None else None
    return (found or "").partition(".")[0]


def kind(model: ModelFacts, cache_dtype: str, backends: dict[str, Any]) -> str:
    """The row of the release's [attention] table that a model is in."""
    if is_sparse(model) and "sparse_mla" in backends:
        return "sparse_mla"
    base = "mla" if model.mla is not None else "sinks" if model.architecture.startswith("GptOss") else "gqa"
    fp8 = f"{base}_fp8_kv"
    return fp8 if fp8 in backends and cache_dtype.startswith("fp8") else base


def is_sparse(model: ModelFacts) -> bool:
    """Whether the model's attention reads chosen tokens alone, as GLM-5's does, which few backends can."""
    return model.mla is not None and model.mla.indexer_bytes > 0


def chosen(vllm: Container) -> str | None:
    """The backend that the container names, by flag or, before vLLM dropped it, by variable."""
    named = vllm.flags.get(BACKEND) or vllm.sets("VLLM_ATTENTION_BACKEND")
    return str(named).upper() if named else None


def backend(vllm: Container, model: ModelFacts | None) -> str | None:
    """The attention backend of a pod on the node that it selects; None where it cannot be said."""
    named = chosen(vllm)
    if named is not None:
        return named
    if model is None:
        return None
    backends = release_toml(vllm.release, "engine.toml")["attention"]
    found: str | None = backends[kind(model, cache_dtype(vllm), backends)].get(generation(node_of(vllm.workload)))
    return found


def cache_dtype(vllm: Container) -> str:
    """The type of its KV cache."""
    return str(vllm.flags.get("kv-cache-dtype", "auto"))


def everywhere(cache_dtype: str, model: ModelFacts | None, release: str) -> str | None:
    """The backend that GPUs of every generation can run the model with, None where there is none."""
    backends = release_toml(release, "engine.toml")["attention"]
    name: str | None = backends["everywhere"].get(kind(model, cache_dtype, backends) if model is not None else "gqa")
    return name


class Cache(Struct, frozen=True):
    """Bytes of all ranks of a pod together, and the place that says so. `in_shm`: they are a file in /dev/shm; `pinned`
    is what they take of memory where each rank's are rounded up to a power of two."""

    bytes: int
    place: Route
    in_shm: bool = False
    pinned: int = 0


def power_of_two(size: int) -> int:
    """The least that is not smaller."""
    return 1 << max(0, size - 1).bit_length()


def offloaded(vllm: Container) -> int:
    """Bytes in which vLLM's OffloadingConnectors keep blocks: each data parallel rank of the pod has one."""
    cache = _offloading(vllm)
    return cache.bytes if cache else 0


def cpu_cache(vllm: Container) -> Cache | None:
    """The blocks in CPU memory, of vLLM's own connector or of LMCache; None where there are none."""
    own = _offloading(vllm)
    if own is not None:
        return own
    try:
        each = float(vllm.variables.get(LMCACHE_SIZE, ""))
    except ValueError:
        return None
    # The variable is rounded to a thousandth; what was meant is a tenth at the least.
    return Cache(int(round(each * vllm.gpus, 1) * GIB), vllm.env_at(LMCACHE_SIZE))


def _offloading(vllm: Container) -> Cache | None:
    for inside, connector in vllm.placed_connectors:
        size = at(connector, EXTRA, "cpu_bytes_to_use")
        if connector.get("kv_connector") == OFFLOADING and isinstance(size, int):
            place = vllm.flag_at("kv-transfer-config", *inside, EXTRA, "cpu_bytes_to_use")
            if at(connector, EXTRA, "spec_name") == TIERING:
                return Cache(size * vllm.ranks, place, in_shm=True)
            pins = release_toml(vllm.release, "engine.toml").get("offloading", {}).get("pins_powers_of_two")
            each = size * vllm.ranks // max(1, vllm.gpus)
            return Cache(size * vllm.ranks, place, pinned=power_of_two(each) * vllm.gpus if pins else 0)
    return None
