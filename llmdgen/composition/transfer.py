"""The KV transfer between prefill and decode: NIXL over libfabric and EFA."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Connector, EnvVar, Situation

SIDE_CHANNEL = EnvVar(name="VLLM_NIXL_SIDE_CHANNEL_HOST", field="status.podIP")


def nixl(situation: Situation) -> Connector:
    """The NixlConnector. Without `backends` NIXL falls back to TCP and says nothing, about a hundred times slower."""
    transfer = situation.spec.spec.transfer
    extra: dict[str, Any] = {"backends": [transfer.backend]}
    if transfer.cross_layers_blocks:
        extra["enable_cross_layers_blocks"] = "True"
    return Connector(name="NixlConnector", extra=extra, serves="KV transfer between prefill and decode")
