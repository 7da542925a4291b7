"""What vLLM works out for itself from its flags and a model's config.json: the connectors inside one,
whether the hybrid KV cache manager is on, the longest context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdgen.findings import Route
from llmdgen.untyped import at, maps

EXTRA = "kv_connector_extra_config"
MULTI = "MultiConnector"
NO_HYBRID = "disable-hybrid-kv-cache-manager"
# Kinds of rope whose factor does not lengthen the context (vllm/config/model.py, _get_and_verify_max_len).
UNSCALED = ("su", "longrope", "llama3")


def connectors_in(transfer: Any, inside: Route = ()) -> Iterator[tuple[Route, Mapping[str, Any]]]:
    """The settings in a --kv-transfer-config: a connector's own, then those of each inside a MultiConnector, with the
    route from the first."""
    if isinstance(transfer, Mapping) and transfer:
        yield inside, transfer
        for index, child in children(transfer):
            yield from connectors_in(child, (*inside, EXTRA, "connectors", index))


def children(transfer: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The connectors directly inside a MultiConnector, as far as they are maps, with their indices."""
    return maps(at(transfer, EXTRA, "connectors")) if transfer.get("kv_connector") == MULTI else []


def hybrid_manager_off_by(flags: Mapping[str, Any], engine: dict[str, Any]) -> str | None:
    """The flag that switches vLLM's hybrid KV cache manager off, None where it stays on. Where it is
    off, layers of a sliding window keep more than their window."""
    off = [flag for flag in engine["hybrid_kv_off_with"] if flags.get(flag) is not None]
    lacking = engine.get("hybrid_kv_off_with_connectors", ())
    if any(each.get("kv_connector") in lacking for _, each in connectors_in(flags.get("kv-transfer-config"))):
        off.append("kv-transfer-config")
    return next(iter(off), NO_HYBRID if flags.get(NO_HYBRID) is True else None)


def longest_context(own: int, overrides: Mapping[str, Any]) -> int | None:
    """The positions that vLLM allows, where the model's own are `own`; None where the overrides are too unusual to say.

    A map in the overrides replaces the attribute of that name once vLLM has made rope_parameters of rope_scaling, so
    that rope_scaling there is read by nobody.
    """
    length, rope = overriding(overrides, "max_position_embeddings"), overriding(overrides, "rope_parameters")
    positions = length if isinstance(length, int) and not isinstance(length, bool) else own
    if rope is None:
        return positions
    if not isinstance(rope, Mapping) or any(isinstance(value, Mapping) for value in rope.values()):
        return None
    if rope.get("rope_type") in UNSCALED:
        return positions
    if rope.get("rope_type") == "yarn":
        positions = rope.get("original_max_position_embeddings", positions)
    factor = rope.get("factor", 1)
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (factor, positions))
    return int(positions * factor) if numbers else None


def overriding(overrides: Mapping[str, Any], name: str) -> Any:
    """What the overrides say of a field of the language model's config, which multimodal models keep inside theirs."""
    inner = overrides.get("text_config")
    nested = inner.get(name) if isinstance(inner, Mapping) else None
    return nested if nested is not None else overrides.get(name)
