"""Models, by their Hugging Face ids."""

from __future__ import annotations

from llmdgen.cli.topics.text import GIB, sections
from llmdgen.facts import catalogue
from llmdgen.facts.types import ModelFacts


def names() -> list[str]:
    """Every model."""
    return list(catalogue.model_names())


def explain(topic: str) -> str | None:
    """A model's shape."""
    known = {name.lower(): name for name in catalogue.model_names()}
    name = known.get(topic.lower())
    if name is None:
        return None
    found = catalogue.model(name)
    return sections(found.id, _rows(found), notes=found.notes, sources=found.sources)


def _rows(found: ModelFacts) -> dict[str, object]:
    layers = {
        "full attention": found.layers.full,
        "sliding window": found.layers.sliding,
        "linear": found.layers.linear,
    }
    rows: dict[str, object] = {
        "architecture": found.architecture,
        "parameters": f"{found.parameters / 1e9:.1f}B" if found.parameters else "unknown",
        "weights": f"{found.weight_bytes / GIB:.1f} GiB, {found.weight_dtype}",
        "layers": ", ".join(f"{number} {kind}" for kind, number in layers.items() if number),
        "attention": f"{found.attention_heads} heads, {found.kv_heads} KV heads" + (", MLA" if found.mla else ""),
        "context": f"{found.max_position_embeddings} tokens",
    }
    if found.active_parameters:
        rows["active"] = f"{found.active_parameters / 1e9:.1f}B parameters a token"
    if found.experts:
        rows["experts"] = f"{found.experts.routed}, {found.experts.per_token} a token, {found.experts.shared} shared"
    return rows
