"""An EndpointPickerConfig, judged as the scheduler's plugin loader would, and more strictly where that is silent.

Pure: a parsed configuration and the release's plugin tables in, what is wrong with it out, each with its route inside
the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from llmdgen.facts.catalogue import release_toml
from llmdgen.findings import Route
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import items, mapping

PREFIX = "prefix-cache-scorer"
PRECISE = "precise-prefix-cache-scorer"
BY_PREFIX = "prefix-based-pd-decider"
PREPARE_DATA = "prepareDataPlugins"
TOP_LEVEL = (
    "apiVersion",
    "kind",
    "featureGates",
    "plugins",
    "schedulingProfiles",
    "saturationDetector",
    "data",
    "flowControl",
)
PLUGIN_KEYS = ("type", "name", "parameters")
OTHER_ROLE = {"prefill": "decode", "decode": "prefill"}
SATURATION = {
    "queueDepthThreshold": "count",
    "kvCacheUtilThreshold": "share",
    "metricsStalenessThreshold": "duration",
}
_WORDS = {
    "any": "a value",
    "boolean": "true or false, without quotes",
    "count": "a whole number from 0, without quotes",
    "duration": 'a duration in quotes, such as "2m30s"',
    "list": "a list",
    "number": "a number, without quotes",
    "port": "a port, without quotes",
    "positive": "a whole number from 1, without quotes",
    "share": "a number above 0 and at most 1, without quotes",
    "text": "text, in quotes",
}
_DURATION = r"([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+"


class Fault(Struct, frozen=True):
    """One thing that is wrong. `route` leads into the configuration."""

    route: Route
    says: str
    fix: str
    on_key: bool = False


def faults(config: Any, release: str) -> Iterator[Fault]:
    """Everything that the scheduler of a release would refuse in a configuration, or ignore without a word."""
    table = release_toml(release, "plugins.toml")
    if not isinstance(config, dict):
        yield Fault((), "it is not a mapping", "write an EndpointPickerConfig")
        return
    yield from _head(config, table)
    for key in ("plugins", "schedulingProfiles", "featureGates"):
        if config.get(key) is not None and not isinstance(config[key], list):
            yield Fault((key,), f"{key} is no list", "write each entry after a dash", on_key=True)
            if key != "featureGates":
                return
    plugins = [each if isinstance(each, dict) else {} for each in items(config.get("plugins"))]
    names = [name_of(each) for each in plugins]
    if not plugins:
        yield Fault((), "it has no plugins", "list the plugins that the profiles refer to")
        return
    types = release_toml(release, "plugin-parameters.toml")
    kinds = {name: _kind(plugin, table) for name, plugin in zip(names, plugins, strict=True)}
    for index, plugin in enumerate(plugins):
        yield from _plugin(index, plugin, names, table, types, kinds)
    yield from _together(config, plugins, names, table)
    yield from _profiles(config, plugins, names, table)
    detector = config.get("saturationDetector")
    for name, value in detector.items() if isinstance(detector, dict) else ():
        kind = SATURATION.get(str(name))
        if kind is None:
            fix = did_you_mean(str(name), SATURATION)
            yield Fault(("saturationDetector", name), f"the scheduler ignores {name}", fix, on_key=True)
        elif not _fits(value, kind):
            yield Fault(
                ("saturationDetector", name), f"{name} is {value!r}, not {_WORDS[kind]}", f"write {_WORDS[kind]}"
            )


def name_of(plugin: dict[str, Any]) -> str:
    """The name by which others refer to a plugin: its type where it has none."""
    return str(plugin.get("name") or plugin.get("type") or "")


def of_type(config: dict[str, Any], kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The plugins of one type with their index."""
    for index, plugin in enumerate(items(config.get("plugins"))):
        if isinstance(plugin, dict) and plugin.get("type") == kind:
            yield index, plugin


def splitting(config: dict[str, Any], table: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The handlers that send a request to prefill and decode servers, with their index."""
    for index, plugin in enumerate(items(config.get("plugins"))):
        key = table["plugins"].get(str(mapping(plugin).get("type")), {}).get("splits")
        if key is not None and _named(plugin, key, table):
            yield index, plugin


def _named(plugin: dict[str, Any], key: str, table: dict[str, Any]) -> str:
    """What the parameter of that dotted path names, its default where it is not given, "" where there is neither."""
    value: Any = parameters_of(plugin)
    for part in key.split("."):
        value = mapping(value).get(part)
    return str(value or table["plugins"][str(plugin["type"])].get("defaults", {}).get(key, ""))


def parameters_of(plugin: dict[str, Any]) -> dict[str, Any]:
    """The plugin's parameters, empty where it has none."""
    return mapping(plugin.get("parameters"))


def _head(config: dict[str, Any], table: dict[str, Any]) -> Iterator[Fault]:
    for key, wanted in (("apiVersion", table["api_version"]), ("kind", "EndpointPickerConfig")):
        if config.get(key) != wanted:
            given = f"is {config[key]}" if config.get(key) is not None else "is missing"
            yield Fault((key,) if key in config else (), f"{key} {given}", f"write {key}: {wanted}")
    for key in config:
        if key not in TOP_LEVEL:
            fix = did_you_mean(str(key), TOP_LEVEL) or "remove it"
            yield Fault((key,), f"the scheduler does not read {key}", fix, on_key=True)
    for key, needed in table["gated"].items():
        if config.get(key) and needed not in items(config.get("featureGates")):
            says = f"without the feature gate {needed} the scheduler does not read {key}"
            yield Fault((key,), says, f"add {needed} to featureGates, or remove it", on_key=True)
    for index, gate in enumerate(items(config.get("featureGates"))):
        if gate not in table["feature_gates"]:
            fix = did_you_mean(str(gate), table["feature_gates"])
            yield Fault(("featureGates", index), f"there is no feature gate {gate}", fix)


def _plugin(
    index: int,
    plugin: dict[str, Any],
    names: list[str],
    table: dict[str, Any],
    types: dict[str, Any],
    kinds: dict[str, str],
) -> Iterator[Fault]:
    at: Route = ("plugins", index)
    kind = plugin.get("type")
    if not isinstance(kind, str) or kind not in table["plugins"]:
        fix = did_you_mean(str(kind), table["plugins"]) or "see the plugin types of the scheduler"
        says = f"the scheduler has no plugin type {kind}" if kind is not None else "the plugin has no type"
        yield Fault((*at, "type"), says, fix)
        return
    if not isinstance(plugin.get("name", ""), str):
        yield Fault((*at, "name"), f"the name {plugin['name']} is no text", f'write "{plugin["name"]}" in quotes')
    if not isinstance(plugin.get("parameters", {}), dict | None):
        yield Fault((*at, "parameters"), "parameters is no mapping", "write `name: value` lines below it", on_key=True)
    for key in plugin:
        if key not in PLUGIN_KEYS:
            fix = did_you_mean(str(key), PLUGIN_KEYS, listed_up_to=0) or "put it under parameters, if it is one"
            yield Fault((*at, key), f"a plugin has no {key}", fix, on_key=True)
    if names.index(names[index]) != index:
        yield Fault(at, f"a plugin is called {names[index]} already", "give each a name of its own")
    given = parameters_of(plugin)
    known = table["plugins"][kind].get("parameters", [])
    for name in given:
        if name not in known:
            fix = did_you_mean(name, known) or f"remove it: {kind} has no parameters"
            yield Fault((*at, "parameters", name), f"{kind} ignores {name}", fix, on_key=True)
    yield from _typed(given, types.get(kind, {}), (*at, "parameters"))
    if kind == PREFIX and "blockSize" in given and "blockSizeTokens" not in given:
        says = "with blockSize alone the scheduler does not start"
        yield Fault((*at, "parameters", "blockSize"), says, "use blockSizeTokens")
    if kind == PRECISE and not mapping(mapping(given.get("indexerConfig")).get("tokenizersPoolConfig")).get(
        "modelName"
    ):
        says = f"{kind} needs indexerConfig.tokenizersPoolConfig.modelName"
        yield Fault((*at, "parameters"), says, "name the model")
    yield from _references(at, plugin, names[:index], names, table, kinds)


def _references(
    at: Route,
    plugin: dict[str, Any],
    before: list[str],
    names: list[str],
    table: dict[str, Any],
    kinds: dict[str, str],
) -> Iterator[Fault]:
    """The scheduler builds plugins in list order: what another one refers to has to be there already."""
    for key in table["plugins"][str(plugin["type"])].get("refers", ()):
        name = _named(plugin, key, table)
        wanted = table["plugins"][str(plugin["type"])].get("refers_to", {}).get(key)
        if name in before and wanted and kinds.get(name) not in (wanted, None, ""):
            says = f"{name} is a {kinds[name]}, and {name_of(plugin)} needs a {wanted}: the scheduler does not start"
            of_kind = [each for each, is_a in kinds.items() if is_a == wanted]
            yield Fault((*at, "parameters", *key.split(".")), says, f"name {one_of(of_kind or [f'a {wanted}'])}")
        if not name or name in before:
            continue
        where = "comes after it" if name in names else "is not in the list"
        own = name_of(plugin)
        given = key in parameters_of(plugin)
        meant = "" if name in names or not given else did_you_mean(name, before, listed_up_to=0)
        route: Route = (*at, "parameters", key) if given else at
        yield Fault(route, f"{own} needs {name} ({key}), which {where}", meant or f"put {name} before {own}")


def _together(
    config: dict[str, Any], plugins: list[dict[str, Any]], names: list[str], table: dict[str, Any]
) -> Iterator[Fault]:
    handlers = [index for index, plugin in enumerate(plugins) if _kind(plugin, table) == "handler"]
    if len(handlers) != 1 and (plugins and (handlers or len(items(config.get("schedulingProfiles"))) > 1)):
        says = f"there are {len(handlers)} profile handlers" if handlers else "there is no profile handler"
        route: Route = ("plugins", handlers[1]) if handlers else ("plugins",)
        yield Fault(route, says, "keep exactly one, such as single-profile-handler", on_key=not handlers)
    for index, plugin in enumerate(plugins):
        most = table["plugins"].get(str(plugin.get("type")), {}).get("most_profiles")
        if most and len(_profile_list(config)) > most:
            says = f"{names[index]} takes {most} profile, and there are {len(_profile_list(config))}"
            yield Fault(("schedulingProfiles",), says, "keep one, or use a handler that picks among them", on_key=True)
    gates = items(config.get("featureGates"))
    for index, decider in of_type(config, BY_PREFIX):
        if not parameters_of(decider).get("nonCachedTokens"):
            if says := table["plugins"][BY_PREFIX].get("at_zero"):
                yield Fault(("plugins", index), says, "use always-disagg-pd-decider, or a number above 0")
            continue
        if PREPARE_DATA not in gates:
            says = f"without the feature gate {PREPARE_DATA} {BY_PREFIX} sends every request to decode alone"
            yield Fault(("plugins", index), says, f"add featureGates: [{PREPARE_DATA}]")
        if not any(True for _ in of_type(config, PREFIX)):
            says = f"{BY_PREFIX} reads what a {PREFIX} prepares, and there is none"
            yield Fault(("plugins", index), says, f"add a {PREFIX} to the plugins and to the profiles")
    profiles = _profile_list(config)
    referred = {str(mapping(each).get("pluginRef")) for profile in profiles for each in items(profile.get("plugins"))}
    if any(True for _ in of_type(config, BY_PREFIX)):
        referred.add(PREFIX)  # the decider reads what it prepares, scored or not
    for index, (name, plugin) in enumerate(zip(names, plugins, strict=True)):
        if _kind(plugin, table) in ("scorer", "filter", "picker") and name not in referred and profiles:
            if any(name in did_you_mean(ref, [name], listed_up_to=0) for ref in referred - set(names)):
                continue  # the reference is misspelt, which is said there
            says = f"no profile refers to {name}, so it decides nothing"
            yield Fault(("plugins", index), says, "add a pluginRef to a profile, or remove it")


def _profiles(
    config: dict[str, Any], plugins: list[dict[str, Any]], names: list[str], table: dict[str, Any]
) -> Iterator[Fault]:
    profiles = _profile_list(config)
    broken = [
        name for name, plugin in zip(names, plugins, strict=True) if str(plugin.get("type")) not in table["plugins"]
    ]
    for number, profile in enumerate(profiles):
        pickers: list[Route] = []
        if not isinstance(profile.get("name"), str) or not profile["name"]:
            says = "the profile has no name, and the scheduler does not start"
            yield Fault(("schedulingProfiles", number), says, "write name: default")
        for index, reference in enumerate(items(profile.get("plugins"))):
            at: Route = ("schedulingProfiles", number, "plugins", index)
            name = mapping(reference).get("pluginRef")
            if name not in names:
                if name is None:
                    yield Fault(at, "the reference has no pluginRef", "write pluginRef: and a plugin's name")
                elif not (broken and did_you_mean(str(name), broken, listed_up_to=0)):
                    # A plugin whose type is misspelt is meant: that is said where it stands.
                    fix = did_you_mean(str(name), names, listed_up_to=0) or f"add it to plugins: - type: {name}"
                    yield Fault((*at, "pluginRef"), f"there is no plugin {name}", fix)
                continue
            kind = _kind(plugins[names.index(str(name))], table)
            pickers += [at] if kind == "picker" else []
            for key in mapping(reference):
                if key not in ("pluginRef", "weight"):
                    yield Fault((*at, key), f"a reference has no {key}", "use pluginRef and weight", on_key=True)
            if kind in ("filter", "picker") and "weight" in mapping(reference):
                says = f"{name} is a {kind}, and only scorers have a weight"
                yield Fault((*at, "weight"), says, "remove it", on_key=True)
                continue
            weight = mapping(reference).get("weight", 1)
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
                says = "the weight is empty" if weight is None else f"the weight {weight!r} is no number from 0"
                yield Fault((*at, "weight"), says, "write such as 1 or 2.5, without quotes")
        if len(pickers) > 1:
            yield Fault(pickers[1], f"the profile has {len(pickers)} pickers", "keep one")
    called = [str(profile.get("name")) for profile in profiles]
    for index, handler in splitting(config, table):
        for key, default in table["plugins"][str(handler["type"])]["profiles"].items():
            wanted = _named(handler, key, table) or default
            if wanted not in called:
                says = f"{name_of(handler)} needs a profile {wanted}"
                fix = f"add it, or set {key}: the profiles are {one_of(dict.fromkeys(called))}" if called else "add it"
                route: Route = ("plugins", index)
                if _named(handler, key, table):
                    route = (*route, "parameters", *key.split("."))
                yield Fault(route, says, fix)
                continue
            number, role = called.index(wanted), default
            referred = {str(mapping(each).get("pluginRef")) for each in items(profiles[number].get("plugins"))}
            wrong, right = (f"{each}-filter" for each in (OTHER_ROLE.get(role, ""), role))
            for name, plugin in zip(names, plugins, strict=True):
                if plugin.get("type") == wrong and name in referred:
                    says = f"the {role} profile picks servers by {wrong}"
                    yield Fault(("schedulingProfiles", number), says, f"refer to {right} there")
    for name in sorted({name for name in called if called.count(name) > 1}):
        second = called.index(name, called.index(name) + 1)
        yield Fault(("schedulingProfiles", second, "name"), f"two profiles are called {name}", "keep one")


def _typed(value: Any, types: dict[str, str], at: Route, path: str = "") -> Iterator[Fault]:
    """Parameters whose type is known, and nested ones that nothing reads."""
    if path in types:
        if value is not None and not _fits(value, types[path]):
            yield Fault(at, f"{path} is {value!r}, not {_WORDS[types[path]]}", f"write {_WORDS[types[path]]}")
    elif isinstance(value, dict):
        below = [known[len(path) :].lstrip(".") for known in types if known.startswith(f"{path}." if path else "")]
        keys = {known.partition(".")[0].partition("[")[0] for known in below}
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if path and keys and key not in keys:
                fix = did_you_mean(str(key), sorted(keys))
                yield Fault((*at, key), f"the scheduler ignores {inner}", fix, on_key=True)
            else:
                yield from _typed(item, types, (*at, key), inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _typed(item, types, (*at, index), f"{path}[]")


def _fits(value: Any, kind: str) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind == "count":
        return whole and value >= 0
    if kind == "positive":
        return whole and value > 0
    if kind == "share":
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
    if kind == "port":
        return whole and 0 <= value <= 65535
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "list":
        return isinstance(value, list)
    if kind == "duration":
        return isinstance(value, str) and bool(re.fullmatch(_DURATION, value))
    return kind == "any" or isinstance(value, str)


def _kind(plugin: dict[str, Any], table: dict[str, Any]) -> str:
    known: dict[str, Any] = table["plugins"].get(str(plugin.get("type")), {})
    return str(known.get("kind", ""))


def _profile_list(config: dict[str, Any]) -> list[dict[str, Any]]:
    return [mapping(each) for each in items(config.get("schedulingProfiles"))]
