"""The KV connectors of the paths: NIXL between prefill and decode, and the cache tiers below GPU memory.

OffloadingConnector takes `cpu_bytes_to_use` for all tensor parallel ranks of an engine together (vLLM divides by world
size in v1/kv_offload/cpu.py); a pod has an engine for each data parallel rank. LMCache takes gigabytes for each rank.
"""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import SLOT, Connector, EnvVar, Situation, Tier, Volume, variables
from llmdgen.composition.names import RoleName
from llmdgen.engine.size import Size
from llmdgen.kube.node import room_on
from llmdgen.kube.room import UNLIMITED
from llmdgen.kube.vllm import OFFLOADING, TIERING, power_of_two
from llmdgen.quantities import GIB, MIB, to_bytes

GB = 10**9
LMCACHE = "LMCacheConnectorV1"
_PATH = "tiered-prefix-cache"
SIDE_CHANNEL = EnvVar(name="VLLM_NIXL_SIDE_CHANNEL_HOST", field="status.podIP")


def tiers(situation: Situation, sizes: dict[RoleName, Size]) -> tuple[Tier, ...]:
    """The tiers that the spec asks for, fastest first; CPU memory alone where it names none."""
    cache, settings = situation.spec.asked.cache, situation.settings[_PATH]
    connector = _connector(situation)
    below: str = LMCACHE if connector == LMCACHE else settings["below_memory"]
    asked = cache.cpu.size if cache.cpu else None
    own = {role: to_bytes(asked) if asked else _cpu_share(situation, role, sizes) for role in sizes}
    in_shm = connector == OFFLOADING and (cache.disk is not None or cache.storage is not None)
    found = [Tier(name="cpu", connector=connector, where="CPU memory of the pod", in_shm=in_shm, bytes=own)]
    if cache.disk:
        size, where = cache.disk.size, f"{disk_path(situation)} of the node"
        shares = {role: situation.instances[role].nvme_gb * GB * _share(situation, role, sizes) for role in sizes}
        free = {role: max(GIB, int(share * settings["disk_share"]) // GIB * GIB) for role, share in shares.items()}
        own = dict.fromkeys(sizes, to_bytes(size)) if size else free
        found.append(Tier(name="disk", connector=below, where=where, bytes=own))
    if cache.storage:
        own = dict.fromkeys(sizes, to_bytes(cache.storage.size or settings["storage_size"]))
        found.append(Tier(name="storage", connector=below, where=f"claim {cache.storage.claim}", bytes=own))
    return tuple(found)


def offloading(situation: Situation, kept: tuple[Tier, ...], sizes: dict[RoleName, Size]) -> Connector:
    """vLLM's own OffloadingConnector: CPU memory, and below it files, where the spec has tiers there. The bytes of a
    pod are shared by its engines, one for each data parallel rank."""
    cpu, *below = kept
    extra: dict[str, Any] = {}
    if below:
        settings = situation.settings[_PATH]
        extra = {"spec_name": TIERING, "block_size": situation.engine["offloading"]["fs_block_tokens"]}
        threads = dict.fromkeys(("n_read_threads", "n_write_threads"), settings["fs_threads"])
        roots = [SLOT if tier.name == "disk" else settings["storage_mount"] for tier in below]
        extra["secondary_tiers"] = [{"type": "fs", "root_dir": root, **threads} for root in roots]
    return Connector(
        name=OFFLOADING,
        serves="KV cache tiers in CPU memory and in files" if below else "KV cache tier in CPU memory",
        extra=extra,
        extra_by_role={role: {"cpu_bytes_to_use": cpu.bytes[role] // size.data_local} for role, size in sizes.items()},
    )


def _connector(situation: Situation) -> str:
    """The connector of CPU memory: the spec's, else what has the tiers below, else vLLM's own."""
    cache, below = situation.spec.asked.cache, str(situation.settings[_PATH]["below_memory"])
    if cache.cpu and cache.cpu.connector:
        return {"lmcache": LMCACHE, "offloading": OFFLOADING}[cache.cpu.connector]
    return below if cache.disk is not None or cache.storage is not None else OFFLOADING


def lmcache_environment(
    situation: Situation, kept: tuple[Tier, ...], sizes: dict[RoleName, Size]
) -> tuple[EnvVar, ...]:
    """LMCACHE_* of the tiers. Sizes are for one rank's process; block keys of two pods agree by PYTHONHASHSEED."""
    settings, engine = situation.settings[_PATH], situation.engine
    chunk = str(engine["lmcache"]["chunk_size"])
    found = variables({"LMCACHE_CHUNK_SIZE": chunk, "PYTHONHASHSEED": engine["hash_seed"]})
    remote = f"fs://localhost:0{settings['storage_mount']}"
    own = {
        "cpu": {"LMCACHE_LOCAL_CPU": "True"},
        "disk": {"LMCACHE_LOCAL_DISK": f"file://{SLOT}/"},
        "storage": {"LMCACHE_REMOTE_URL": remote, "LMCACHE_REMOTE_SERDE": "naive"},
    }
    for tier in kept:
        found += variables(own[tier.name])
        if tier.name != "storage":
            gib = {role: tier.bytes[role] / GIB / size.gpus_per_pod for role, size in sizes.items()}
            texts = {role: f"{each:.3f}".rstrip("0").rstrip(".") for role, each in gib.items()}
            found += (EnvVar(name=f"LMCACHE_MAX_LOCAL_{tier.name.upper()}_SIZE", by_role=texts),)
    return found


def volumes(situation: Situation, kept: tuple[Tier, ...]) -> tuple[Volume, ...]:
    """The node's NVMe and the shared claim: in each a directory of the deployment's own.

    vLLM's file tiers have neither a capacity nor an eviction, and take a missing file for a block that they never had
    (v1/kv_offload/tiering/fs): the pods delete what was written first.
    """
    cache, settings, own = situation.spec.asked.cache, situation.settings[_PATH], situation.spec.name
    keeps = {tier.name: tier.bytes for tier in kept if tier.connector == OFFLOADING}
    found = []
    if cache.disk:
        host = {"hostPath": {"path": disk_path(situation), "type": "DirectoryOrCreate"}}
        mount, most = settings["disk_mount"], keeps.get("disk", {})
        found.append(Volume(name="kv-disk", mount_path=mount, source=host, own_directory=own, slots=True, keeps=most))
    if cache.storage:
        claim = {"persistentVolumeClaim": {"claimName": cache.storage.claim}}
        mount, most = settings["storage_mount"], keeps.get("storage", {})
        found.append(Volume(name="kv-storage", mount_path=mount, source=claim, own_directory=own, keeps=most))
    return tuple(found)


def disk_path(situation: Situation) -> str:
    """The directory on the node's NVMe: the spec's, else where the platform mounts it."""
    asked = situation.spec.asked.cache.disk
    path: str = situation.platform[situation.spec.asked.platform]["nvme_path"]
    return (asked.path if asked is not None else None) or f"{path}/kv"


def memory_held(situation: Situation, cpu: Tier, sizes: dict[RoleName, Size]) -> dict[RoleName, int]:
    """MiB of each pod's memory that the tier in CPU memory takes: what its ranks pin may be more than what they use."""
    if not _pins_powers_of_two(situation):
        return {role: -(-size // MIB) for role, size in cpu.bytes.items()}
    each = {role: power_of_two(cpu.bytes[role] // size.gpus_per_pod) for role, size in sizes.items()}
    return {role: each[role] * size.gpus_per_pod // MIB for role, size in sizes.items()}


def _share(situation: Situation, role: RoleName, sizes: dict[RoleName, Size]) -> float:
    """The pod's share of its node, by GPUs."""
    return sizes[role].gpus_per_pod / max(1, situation.instances[role].gpu.count)


def _cpu_share(situation: Situation, role: RoleName, sizes: dict[RoleName, Size]) -> int:
    instance = situation.instances[role]
    room = room_on(instance, situation.platform[situation.spec.asked.platform]["prefix"] + instance.name).memory_mib
    node = instance.memory_gib * GIB if room == UNLIMITED else room * MIB
    wanted = int(node * _share(situation, role, sizes) * situation.settings[_PATH]["cpu_share_of_memory"])
    if _pins_powers_of_two(situation):  # as much as fits, so that nothing is rounded up
        ranks = sizes[role].gpus_per_pod
        return (1 << (max(GIB, wanted // ranks).bit_length() - 1)) * ranks
    return max(GIB, wanted // GIB * GIB)


def _pins_powers_of_two(situation: Situation) -> bool:
    """Whether each rank's memory is rounded up to a power of two when it is pinned. A file in /dev/shm is not."""
    cache = situation.spec.asked.cache
    pins: bool = situation.engine.get("offloading", {}).get("pins_powers_of_two", False)
    return pins and cache.disk is None and cache.storage is None and _connector(situation) == OFFLOADING


def nixl(situation: Situation) -> Connector:
    """The NixlConnector. Without `backends` NIXL falls back to TCP and says nothing, about a hundred times slower."""
    transfer = situation.spec.asked.transfer
    extra: dict[str, Any] = {"backends": [transfer.backend]}
    if transfer.cross_layers_blocks:
        extra["enable_cross_layers_blocks"] = "True"
    return Connector(
        name="NixlConnector",
        roles=situation.engine.get("nixl", {}).get("roles", {}),
        extra=extra,
        serves="KV transfer between prefill and decode",
    )


def transfer_args(situation: Situation) -> dict[str, Any]:
    """Flags of both ends of a transfer.

    With the hybrid KV cache manager on, vLLM takes a failed read for a received one and goes on from what the blocks
    held. Models with sliding windows can do without the manager, at up to twice the KV cache; those with linear
    attention cannot start without it.
    """
    model, nixl_facts = situation.model, situation.engine.get("nixl", {})
    hybrid = model is not None and model.layers.sliding and not model.layers.linear
    if hybrid and nixl_facts.get("failed_reads_unmarked_with_hybrid_manager"):
        return {"disable-hybrid-kv-cache-manager": True}
    return {}


def transfer_environment(situation: Situation) -> tuple[EnvVar, ...]:
    """Variables of both ends of a transfer: each tells the other its own address."""
    model, nixl_facts = situation.model, situation.engine.get("nixl", {})
    linear = nixl_facts.get("hybrid_environment", {}) if model is not None and model.layers.linear else {}
    return (SIDE_CHANNEL, *variables(linear))


def transfers_linear_state(situation: Situation) -> bool:
    """Whether this vLLM can transfer the KV cache of a model with linear attention."""
    return "kv-transfer-config" not in situation.engine["hybrid_kv_off_with"]
