"""Well-lit paths, by the name that spec.path and spec.with take."""

from __future__ import annotations

from typing import Any

from llmdgen.cli.topics.text import sections
from llmdgen.facts import catalogue
from llmdgen.spec.model import DEFAULT_RELEASE


def names() -> list[str]:
    """Every path."""
    return list(catalogue.path_names())


def explain(topic: str) -> str | None:
    """What a path is, and what it sets where a spec says nothing."""
    name = topic.lower()
    if name not in catalogue.path_names():
        return None
    table = catalogue.release_toml(DEFAULT_RELEASE, "paths.toml")
    return sections(name, _rows(table[name]), sources=table["sources"])


def _rows(found: dict[str, Any]) -> dict[str, object]:
    rows: dict[str, object] = {"is": found["about"], "roles": ", ".join(found.get("roles", ())) or "decode"}
    if found.get("args"):
        rows["flags"] = ", ".join(f"{name}: {str(value).lower()}" for name, value in found["args"].items())
    if found.get("scorers"):
        rows["scorers"] = ", ".join(f"{name} {weight}" for name, weight in found["scorers"].items())
    rows["more"] = "docs/paths"
    return rows
