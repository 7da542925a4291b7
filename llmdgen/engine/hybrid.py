"""vLLM's hybrid KV cache manager: layers of a sliding window keep no more than their window, unless it is off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdgen.untyped import items, mapping

NO_HYBRID = "disable-hybrid-kv-cache-manager"


def connector_names(transfer: Any) -> list[str]:
    """The connectors of a --kv-transfer-config, those inside a MultiConnector included."""
    config = mapping(transfer)
    inside = items(mapping(config.get("kv_connector_extra_config")).get("connectors"))
    return [str(each.get("kv_connector")) for each in (config, *map(mapping, inside)) if "kv_connector" in each]


def hybrid_manager_off_by(flags: Mapping[str, Any], engine: dict[str, Any]) -> str | None:
    """The flag that switches vLLM's hybrid KV cache manager off, None where it stays on."""
    off = [flag for flag in engine["hybrid_kv_off_with"] if flags.get(flag) is not None]
    lacking = engine.get("hybrid_kv_off_with_connectors", ())
    if any(name in lacking for name in connector_names(flags.get("kv-transfer-config"))):
        off.append("kv-transfer-config")
    if not off and flags.get(NO_HYBRID) is True:
        return NO_HYBRID
    return off[0] if off else None
