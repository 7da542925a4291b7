"""The KV transfer between prefill and decode: NIXL over libfabric and EFA."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Connector, EnvVar, Situation

SIDE_CHANNEL = EnvVar(name="VLLM_NIXL_SIDE_CHANNEL_HOST", field="status.podIP")


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
    return (SIDE_CHANNEL, *(EnvVar(name=name, value=value) for name, value in linear.items()))


def transfers_linear_state(situation: Situation) -> bool:
    """Whether this vLLM can transfer the KV cache of a model with linear attention."""
    return "kv-transfer-config" not in situation.engine["hybrid_kv_off_with"]
