"""What a release's scheduler knows: plugin types, their parameters, and the data that they make and read."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import Struct

from llmdgen.facts.catalogue import release_toml
from llmdgen.untyped import items, mapping


class Tables(Struct, frozen=True):
    """plugins.toml, plugin-parameters.toml and, where there is one, plugin-defaults.toml of a release."""

    facts: dict[str, Any]
    types: dict[str, dict[str, str]]
    defaults: dict[str, dict[str, Any]]

    @property
    def plugins(self) -> dict[str, dict[str, Any]]:
        """The plugin types with what is known of each."""
        found: dict[str, dict[str, Any]] = self.facts["plugins"]
        return found

    def of(self, plugin: dict[str, Any]) -> dict[str, Any]:
        """What is known of a plugin's type, empty for a type that there is not."""
        return mapping(self.plugins.get(str(plugin.get("type"))))

    def kind(self, plugin: dict[str, Any]) -> str:
        """handler, decider, filter, scorer, picker, producer, ..., "" for an unknown type."""
        return str(self.of(plugin).get("kind", ""))

    def words(self, kind: str) -> dict[str, list[str]]:
        """The words that parameters of a plugin type may hold, by dotted path, where there are few."""
        return {path: found for path, found in mapping(self._all("words").get(kind)).items() if "[]" not in path}

    def ranges(self, kind: str) -> dict[str, list[float]]:
        """The smallest and the largest value of a number, likewise."""
        return mapping(self._all("ranges").get(kind))

    def _all(self, key: str) -> dict[str, Any]:
        return mapping(self.types.get(key))

    def consumed(self, plugin: dict[str, Any]) -> dict[str, str]:
        """The data that a plugin reads, and the parameter that names its producer: "" where none does."""
        return {data: how.partition(" ")[0] for data, how in self.of(plugin).get("consumes", {}).items()}

    def default_producer(self, data: str) -> str:
        """The type of plugin that makes the data where none is named, "" for data that nothing makes by itself."""
        return str(mapping(self.facts.get("data_default_producer")).get(data, ""))

    def named(self, plugin: dict[str, Any], key: str) -> str:
        """What the parameter of that dotted path names, its default where it is not given, "" without either."""
        value: Any = mapping(plugin.get("parameters"))
        for part in key.split("."):
            value = mapping(value).get(part)
        return str(value or self.of(plugin).get("defaults", {}).get(key, ""))


@cache
def tables(release: str) -> Tables:
    """The tables of that llm-d release."""
    try:
        defaults = release_toml(release, "plugin-defaults.toml")
    except FileNotFoundError:
        defaults = {}
    return Tables(release_toml(release, "plugins.toml"), release_toml(release, "plugin-parameters.toml"), defaults)


def name_of(plugin: dict[str, Any]) -> str:
    """The name by which others refer to a plugin: its type where it has none."""
    return str(plugin.get("name") or plugin.get("type") or "")


def parameters_of(plugin: dict[str, Any]) -> dict[str, Any]:
    """The plugin's parameters, empty where it has none."""
    return mapping(plugin.get("parameters"))


def of_type(config: dict[str, Any], *kinds: str) -> list[tuple[int, dict[str, Any]]]:
    """The plugins of these types with their index."""
    return [
        (index, plugin)
        for index, plugin in enumerate(items(config.get("plugins")))
        if isinstance(plugin, dict) and plugin.get("type") in kinds
    ]


def profiles_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The scheduling profiles."""
    return [mapping(each) for each in items(config.get("schedulingProfiles"))]


def references_of(profile: dict[str, Any]) -> list[str]:
    """The names that a profile refers to, in its order."""
    return [str(mapping(each).get("pluginRef")) for each in items(profile.get("plugins"))]
