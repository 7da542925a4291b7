"""Environment variables of vLLM, and what each release's vLLM makes of their values."""

from __future__ import annotations

from typing import Any

from llmdgen.cli.topics.text import sections
from llmdgen.facts import catalogue


def names() -> list[str]:
    """Every variable of any release."""
    return sorted({name for release in catalogue.release_names() for name in _table(release)["variables"]})


def explain(topic: str) -> str | None:
    """A variable of each release that has it."""
    texts = []
    for release in catalogue.release_names():
        table = _table(release)
        found = table["variables"].get(topic.upper())
        if found is not None:
            source = f"vLLM {table['vllm']} of llm-d {release}: {table['source']}"
            texts.append(sections(topic.upper(), _rows(found), sources=(source,)))
    return "\n\n".join(texts) or None


def _rows(found: dict[str, Any]) -> dict[str, object]:
    kinds = {"int": "a whole number", "float": "a number", "choice": "one of several", "switch": "on or off"}
    rows: dict[str, object] = {"type": kinds.get(found["kind"], "text")}
    if "choices" in found:
        case = ", in any case" if found.get("any_case") else ""
        rows["choices"] = ", ".join(map(str, found["choices"])) + case
    if "true" in found:
        rows["on"] = ", ".join(found["true"])
        if found.get("strict"):
            rows["else"] = "off, or an error where it is not a number"
    return rows


def _table(release: str) -> dict[str, Any]:
    table: dict[str, Any] = catalogue.release_json(release, "vllm-env.json")
    return table
