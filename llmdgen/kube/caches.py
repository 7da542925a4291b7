"""KV blocks that a pod keeps in CPU memory."""

from __future__ import annotations

from msgspec import Struct

from llmdgen.facts.catalogue import release_toml
from llmdgen.findings import Route
from llmdgen.kube.workload import Container
from llmdgen.quantities import GIB
from llmdgen.untyped import at

OFFLOADING = "OffloadingConnector"
TIERING = "TieringOffloadingSpec"
EXTRA = "kv_connector_extra_config"
LMCACHE_SIZE = "LMCACHE_MAX_LOCAL_CPU_SIZE"  # in GiB, of each rank's own process


class Cache(Struct, frozen=True):
    """Bytes of all ranks of a pod together, and the place that says so. `in_shm`: they are a file in /dev/shm; `pinned`
    is what they take of memory where each rank's are rounded up to a power of two."""

    bytes: int
    place: Route
    in_shm: bool = False
    pinned: int = 0


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
            pinned = (1 << max(0, each - 1).bit_length()) * vllm.gpus if pins else 0
            return Cache(size * vllm.ranks, place, pinned=pinned)
    return None
