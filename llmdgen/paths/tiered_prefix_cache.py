"""tiered-prefix-cache: KV blocks leave GPU memory for CPU memory, the node's NVMe or shared storage, and come back."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.connectors import (
    LMCACHE,
    lmcache_environment,
    memory_held,
    offloading,
    tiers,
    volumes,
)
from llmdgen.composition.contribution import Connector, Contribution, EnvVar, Shape, Situation
from llmdgen.composition.names import RoleName
from llmdgen.composition.shapes import contribution, whole_model_servers
from llmdgen.engine.size import Size
from llmdgen.kube.vllm import BACKEND, OFFLOADING, everywhere, generation

NAME = "tiered-prefix-cache"
RANK = 5


def shapes(situation: Situation) -> dict[RoleName, Shape]:
    return whole_model_servers(situation, NAME)


def contribute(situation: Situation, sizes: dict[RoleName, Size]) -> Contribution:
    """A connector that moves blocks, and container memory that holds them."""
    kept = tiers(situation, sizes)
    cpu, held = kept[0], memory_held(situation, kept[0], sizes)
    if cpu.connector == LMCACHE:
        connector = Connector(name=LMCACHE, serves="KV cache tiers of LMCache")
        env = lmcache_environment(situation, kept, sizes)
    else:
        connector = offloading(situation, kept, sizes)
        # Files of one pod are found by another where both hash alike.
        env = (EnvVar(name="PYTHONHASHSEED", value=situation.engine["hash_seed"]),) if cpu.in_shm else ()
    return contribution(
        situation,
        NAME,
        role_args=_attention(situation, sizes, connector),
        env=env,
        volumes=volumes(situation, kept),
        connectors=(connector,),
        memory_mib=held,
        shm_mib=held if cpu.in_shm else {},
        cleans_shm=cpu.in_shm,
        tiers=kept,
        # The scheduler counts blocks of the tier; of MLA models vLLM makes 64 tokens on some GPUs and 16 on others.
        block_size=situation.engine["mla_block_size_of_all"] if situation.model and situation.model.mla else None,
    )


def _attention(
    situation: Situation, sizes: dict[RoleName, Size], connector: Connector
) -> dict[RoleName, dict[str, Any]]:
    """Another attention backend where the GPU's own stops at blocks across layers, which this connector keeps."""
    asserting = situation.engine.get("offloading", {}).get("asserts_contiguous", ())
    model = situation.model
    if connector.name != OFFLOADING or not asserting or model is None or model.mla is not None:
        return {}
    name = everywhere("auto", model, situation.release.name)
    return {role: {BACKEND: name} for role in sizes if generation(situation.instances[role]) in asserting}
