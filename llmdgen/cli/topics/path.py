"""Well-lit paths, by the name that spec.path and spec.with take."""

from __future__ import annotations

from typing import Any

from llmdgen.cli.topics.text import sections
from llmdgen.facts import catalogue
from llmdgen.scheduling.form import form
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
    return sections(name, _rows(name, table[name]), sources=table["sources"])


def _rows(name: str, found: dict[str, Any]) -> dict[str, object]:
    rows: dict[str, object] = {"is": found["about"], "roles": ", ".join(found.get("roles", ())) or "decode"}
    if found.get("args"):
        rows["flags"] = ", ".join(f"{flag}: {str(value).lower()}" for flag, value in found["args"].items())
    scorers = form(DEFAULT_RELEASE).paths[name].scorers
    if scorers:
        rows["scorers"] = ", ".join(f"{scorer} {weight}" for scorer, weight in scorers.items())
    rows["more"] = "docs/paths"
    return rows
