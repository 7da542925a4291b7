"""Plugins of the scheduler, by the type that an EndpointPickerConfig names."""

from __future__ import annotations

from typing import Any

from llmdgen.cli.topics.text import sections
from llmdgen.facts import catalogue


def names() -> list[str]:
    """Every plugin of any release."""
    return sorted({name for release in catalogue.release_names() for name in _table(release)["plugins"]})


def explain(topic: str) -> str | None:
    """A plugin of each release that has it."""
    texts = []
    for release in catalogue.release_names():
        table = _table(release)
        found = table["plugins"].get(topic.lower())
        if found is not None:
            title = f"{topic.lower()} (scheduler of llm-d {release})"
            types = catalogue.release_toml(release, "plugin-parameters.toml").get(topic.lower(), {})
            texts.append(sections(title, _rows(found, types), sources=table["sources"]))
    return "\n\n".join(texts) or None


def _rows(found: dict[str, Any], types: dict[str, str]) -> dict[str, object]:
    rows: dict[str, object] = {"kind": found["kind"]}
    listed = [*types, *(name for name in found.get("parameters", ()) if not any(_below(each, name) for each in types))]
    for number, name in enumerate(listed):
        kind = f" ({types[name]})" if name in types else ""
        refers = ", names a plugin" if name in found.get("refers", ()) else ""
        default = found.get("defaults", {}).get(name) or found.get("profiles", {}).get(name)
        text = f"{name}{kind}{refers}" + (f", default {default}" if default else "")
        rows["parameters" if number == 0 else " " * number] = text
    if not listed:
        rows["parameters"] = "none"
    if found.get("produces"):
        rows["makes"] = ", ".join(found["produces"])
    if found.get("consumes"):
        rows["reads"] = ", ".join(
            f"{data} (of the producer in {how})" if how else data for data, how in found["consumes"].items()
        )
    if found.get("deprecated_in"):
        rows["deprecated"] = f"since {found['deprecated_in']}" + (
            f", use {found['use_instead']}" if "use_instead" in found else ""
        )
    if found.get("alpha"):
        rows["experimental"] = "only with --allow-experimental-plugins"
    return rows


def _below(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}.", f"{name}["))


def _table(release: str) -> dict[str, Any]:
    return catalogue.release_toml(release, "plugins.toml")
