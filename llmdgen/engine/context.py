"""The longest context that vLLM derives from a model's config.json and --hf-overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Kinds of rope whose factor does not lengthen the context (vllm/config/model.py, _get_and_verify_max_len).
UNSCALED = ("su", "longrope", "llama3")


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
