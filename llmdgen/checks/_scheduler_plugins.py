"""The plugins of a scheduler's configuration, as its loader reads them: types, names, parameters, references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.findings import Route
from llmdgen.registry import Draft
from llmdgen.scheduling.document import SchedulerConfig
from llmdgen.scheduling.tables import name_of, parameters_of
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import at, items

PLUGIN_KEYS = ("type", "name", "parameters")
GATE_VALUES = ("true", "false")
WORDS = {
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
"""What a person has to write, by kind."""
_DURATION = r"([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+"
_LEAST = {"count": 0, "positive": 1, "port": 0}


def head(config: SchedulerConfig) -> Iterator[Draft]:
    """Version, kind, top-level keys and feature gates."""
    doc, facts = config.doc, config.tables.facts
    versions = [facts["api_version"], *facts.get("old_api_versions", ())]
    for key, known in (("apiVersion", versions), ("kind", ["EndpointPickerConfig"])):
        if doc.get(key) not in known:
            given = f"is {doc[key]}" if doc.get(key) is not None else "is missing"
            yield config.found(*((key,) if key in doc else ()), says=f"{key} {given}", fix=f"write {key}: {known[0]}")
    for key in doc:
        if key not in facts["top_level"]:
            fix = did_you_mean(str(key), facts["top_level"]) or "remove it"
            yield config.found(key, says=f"the scheduler does not read {key}", fix=fix, on_key=True)
    gates = {str(gate).partition("=")[0]: str(gate).partition("=")[2] for gate in items(doc.get("featureGates"))}
    for key, needed in facts["gated"].items():
        if doc.get(key) and gates.get(needed, "false") == "false":
            says = f"without the feature gate {needed} the scheduler does not read {key}"
            yield config.found(key, says=says, fix=f"add {needed} to featureGates, or remove it", on_key=True)
    for index, (gate, value) in enumerate(gates.items()):
        if gate not in facts["feature_gates"] or (value and value not in GATE_VALUES):
            fix = did_you_mean(gate, facts["feature_gates"]) or "remove it"
            yield config.found("featureGates", index, says=f"there is no feature gate {gate}", fix=fix)


def plugin(config: SchedulerConfig, index: int, given: dict[str, Any]) -> Iterator[Draft]:
    """One entry of the list."""
    tables, here, kind = config.tables, ("plugins", index), given.get("type")
    if not isinstance(kind, str) or kind not in tables.plugins:
        fix = did_you_mean(str(kind), tables.plugins) or "see the plugin types of the scheduler"
        says = f"the scheduler has no plugin type {kind}" if kind is not None else "the plugin has no type"
        yield config.found(*here, "type", says=says, fix=fix)
        return
    if not isinstance(given.get("name", ""), str):
        says, fix = f"the name {given['name']} is not text", f'write "{given["name"]}" in quotes'
        yield config.found(*here, "name", says=says, fix=fix)
    if not isinstance(given.get("parameters", {}), dict | None):
        says, fix = "parameters is not a mapping", "write `name: value` lines below it"
        yield config.found(*here, "parameters", says=says, fix=fix, on_key=True)
    for key in given:
        if key not in PLUGIN_KEYS:
            fix = did_you_mean(str(key), PLUGIN_KEYS, listed_up_to=0) or "put it under parameters, if it is one"
            yield config.found(*here, key, says=f"a plugin has no {key}", fix=fix, on_key=True)
    names = config.names
    if names.index(names[index]) != index:
        yield config.found(*here, says=f"a plugin is called {names[index]} already", fix="give each another name")
    if tables.plugins[kind].get("alpha") and not config.experimental:
        says = f"without the flag --allow-experimental-plugins the scheduler refuses {kind}"
        yield config.found(*here, "type", says=says, fix="use another plugin, or set the flag")
    yield from _parameters(config, index, kind, parameters_of(given))
    yield from _references(config, index, given)


def _parameters(config: SchedulerConfig, index: int, kind: str, given: dict[str, Any]) -> Iterator[Draft]:
    facts, here = config.tables.plugins[kind], ("plugins", index, "parameters")
    known = facts.get("parameters", [])
    for name in given:
        if name not in known:
            does = "ignores" if facts.get("ignores_parameters") else _does(config)
            fix = did_you_mean(name, known) or f"remove it: {kind} has no parameters"
            yield config.found(*here, name, says=f"{kind} {does} {name}", fix=fix, on_key=True)
    yield from _typed(config, given, config.tables.types.get(kind, {}), here, tuple(facts.get("refuses", ())))
    for path, words in config.tables.words(kind).items():
        value = at(given, *path.split("."))
        if isinstance(value, str) and value not in words:
            says, fix = f"{path} is {value}, which the scheduler does not know", did_you_mean(value, words)
            yield config.found(*here, *path.split("."), says=says, fix=fix or f"write {one_of(words)}")
    for path, (least, most) in config.tables.ranges(kind).items():
        value = at(given, *path.split("."))
        if isinstance(value, int | float) and not least <= value <= most:
            says = f"{path} is {value}, and the scheduler does not start"
            yield config.found(*here, *path.split("."), says=says, fix=f"write a number from {least} to {most}")
    for path in facts.get("refuses", ()):
        if at(given, *path.split(".")) is not None:
            says = f"{kind} does not take {path} any more, and the scheduler does not start"
            yield config.found(*here, *path.split("."), says=says, fix="remove it", on_key=True)
    for path in facts.get("required", ()):
        if not at(given, *path.split(".")):
            yield config.found(*here, says=f"{kind} needs {path}", fix="name the model")
    for needing, needed in facts.get("only_with", {}).items():
        if at(given, *needing.split(".")) is not None and not at(given, *needed.split(".")):
            says = f"{kind} with {needing} and without {needed} does not start"
            yield config.found(*here, *needing.split("."), says=says, fix=f"set {needed}")
    for path in facts.get("refuses_zero", ()):
        if at(given, *path.split(".")) == 0:
            says = f"{path} is 0, and the scheduler does not start"
            yield config.found(*here, *path.split("."), says=says, fix="write a number above 0")


def _references(config: SchedulerConfig, index: int, given: dict[str, Any]) -> Iterator[Draft]:
    """Plugins that another one names: there, of the kind that it needs, and before it where the order matters."""
    tables, names = config.tables, config.names
    facts, own, here = tables.of(given), name_of(given), ("plugins", index)
    in_order = not tables.facts.get("any_order")
    kinds = {name: tables.kind(each) for name, each in zip(names, config.plugins, strict=True)}
    for key in facts.get("refers", ()):
        name, wanted = tables.named(given, key), facts.get("refers_to", {}).get(key)
        if not name:
            continue
        where = at(parameters_of(given), *key.split(".")) is not None
        route: Route = (*here, "parameters", *key.split(".")) if where else here
        there = names[:index] if in_order else names
        if name in there:
            if wanted and kinds.get(name) not in (wanted, ""):
                says = f"{name} is a {kinds[name]}, and {own} needs a {wanted}: the scheduler does not start"
                of_kind = [each for each, is_a in kinds.items() if is_a == wanted]
                yield config.found(*route, says=says, fix=f"name {one_of(of_kind or [f'a {wanted}'])}")
            continue
        says = f"{own} needs {name} ({key}), which {'comes after it' if name in names else 'is not in the list'}"
        meant = "" if name in names or not where else did_you_mean(name, there, listed_up_to=0)
        add = f"put {name} before {own}" if name in names or in_order else f"add {name} to the plugins"
        yield config.found(*route, says=says, fix=meant or add)


def _typed(
    config: SchedulerConfig, value: Any, types: dict[str, str], here: Route, refused: tuple[str, ...], path: str = ""
) -> Iterator[Draft]:
    """Parameters whose type is known, and nested ones that nothing reads. Of `refused` ones is said elsewhere."""
    if path in refused:
        return
    if path in types:
        if value is not None and not fits(value, types[path]):
            words = WORDS[types[path]]
            yield config.found(*here, says=f"{path} is {value!r}, not {words}", fix=f"write {words}")
    elif isinstance(value, dict):
        below = [known[len(path) :].lstrip(".") for known in types if known.startswith(f"{path}." if path else "")]
        keys = {known.partition(".")[0].partition("[")[0] for known in below}
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if path and keys and key not in keys and inner not in refused:
                fix = did_you_mean(str(key), sorted(keys))
                says = f"the scheduler {_does(config)} {inner}"
                yield config.found(*here, key, says=says, fix=fix or "remove it", on_key=True)
            else:
                yield from _typed(config, item, types, (*here, key), refused, inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _typed(config, item, types, (*here, index), refused, f"{path}[]")


def _does(config: SchedulerConfig) -> str:
    """What the scheduler does with a parameter that it does not know."""
    return "refuses" if config.tables.facts.get("strict") else "ignores"


def fits(value: Any, kind: str) -> bool:
    """Whether Go's decoder takes the value for that kind. A whole number may be written 5000.0 or 1e+06."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in _LEAST:
        return number and value == value // 1 and _LEAST[kind] <= value <= (65535 if kind == "port" else value)
    if kind in ("share", "number"):
        return number and (kind == "number" or 0 < value <= 1)
    if kind in ("boolean", "list"):
        return isinstance(value, bool if kind == "boolean" else list)
    if kind == "duration":
        return isinstance(value, str) and bool(re.fullmatch(_DURATION, value))
    return kind == "any" or isinstance(value, str)


def whole(kind: str) -> bool:
    """Whether that kind is a whole number."""
    return kind in _LEAST
