"""What a release's scheduler knows: plugin types, their parameters, and the data that they make and read."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import Struct

from llmdgen.facts.catalogue import release_toml
from llmdgen.untyped import at, items, mapping


class Tables(Struct, frozen=True):
    """plugins.toml, plugin-parameters.toml and, where there is one, plugin-defaults.toml of a release."""

    facts: dict[str, Any]
    types: dict[str, dict[str, str]]
    defaults: dict[str, dict[str, Any]]

    @property
    def plugins(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.facts["plugins"]
        return found

    def words(self, kind: str) -> dict[str, list[str]]:
        """The words that parameters of a plugin type may hold, by dotted path, where there are few."""
        return {path: found for path, found in mapping(at(self.types, "words", kind)).items() if "[]" not in path}

    def ranges(self, kind: str) -> dict[str, list[float]]:
        """The smallest and the largest value of a number, likewise."""
        return mapping(at(self.types, "ranges", kind))

    def consumed(self, kind: str) -> dict[str, str]:
        """The data that plugins of a type read, and the parameter that names its producer: "" where none does."""
        read = mapping(self.plugins.get(kind)).get("consumes", {})
        return {data: how.partition(" ")[0] for data, how in read.items()}

    def default_producer(self, data: str) -> str:
        """The type of plugin that makes the data where none is named, "" for data that nothing makes by itself."""
        return str(mapping(self.facts.get("data_default_producer")).get(data, ""))


@cache
def tables(release: str) -> Tables:
    try:
        defaults = release_toml(release, "plugin-defaults.toml")
    except FileNotFoundError:
        defaults = {}
    return Tables(release_toml(release, "plugins.toml"), release_toml(release, "plugin-parameters.toml"), defaults)


def name_of(plugin: dict[str, Any]) -> str:
    """The name by which others refer to a plugin: its type where it has none."""
    return str(plugin.get("name") or plugin.get("type") or "")


def parameters_of(plugin: dict[str, Any]) -> dict[str, Any]:
    return mapping(plugin.get("parameters"))


def references_of(profile: dict[str, Any]) -> list[str]:
    return [str(mapping(each).get("pluginRef")) for each in items(profile.get("plugins"))]
