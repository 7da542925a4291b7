"""The plugins of a scheduler's configuration, as its loader reads them: types, names, parameters, references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.findings import Route
from llmdgen.registry import Draft
from llmdgen.scheduling.document import Listed, SchedulerConfig
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import items

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


def plugin(each: Listed) -> Iterator[Draft]:
    tables, given, kind = each.config.tables, each.given, each.given.get("type")
    if not isinstance(kind, str) or kind not in tables.plugins:
        fix = did_you_mean(str(kind), tables.plugins) or "see the plugin types of the scheduler"
        says = f"the scheduler has no plugin type {kind}" if kind is not None else "the plugin has no type"
        yield each.found("type", says=says, fix=fix)
        return
    if not isinstance(given.get("name", ""), str):
        yield each.found("name", says=f"the name {given['name']} is not text", fix=f'write "{given["name"]}" in quotes')
    if not isinstance(given.get("parameters", {}), dict | None):
        says, fix = "parameters is not a mapping", "write `name: value` lines below it"
        yield each.found("parameters", says=says, fix=fix, on_key=True)
    for key in given:
        if key not in PLUGIN_KEYS:
            fix = did_you_mean(str(key), PLUGIN_KEYS, listed_up_to=0) or "put it under parameters, if it is one"
            yield each.found(key, says=f"a plugin has no {key}", fix=fix, on_key=True)
    if each.name in each.config.names[: each.index]:
        yield each.found(says=f"a plugin is called {each.name} already", fix="give each another name")
    if each.facts.get("alpha") and not each.config.experimental:
        says = f"without the flag --allow-experimental-plugins the scheduler refuses {kind}"
        yield each.found("type", says=says, fix="use another plugin, or set the flag")
    yield from _parameters(each, kind)
    yield from _references(each)


def _parameters(each: Listed, kind: str) -> Iterator[Draft]:
    tables, facts = each.config.tables, each.facts
    known = facts.get("parameters", [])
    for name in each.parameters:
        if name not in known:
            does = "ignores" if facts.get("ignores_parameters") else _does(each.config)
            fix = did_you_mean(name, known) or f"remove it: {kind} has no parameters"
            yield each.found("parameters", name, says=f"{kind} {does} {name}", fix=fix, on_key=True)
    yield from _typed(each, each.parameters, ("parameters",))
    for path, words in tables.words(kind).items():
        value = each.at(path)
        if isinstance(value, str) and value not in words:
            says, fix = f"{path} is {value}, which the scheduler does not know", did_you_mean(value, words)
            yield each.found_at(path, says=says, fix=fix or f"write {one_of(words)}")
    for path, (least, most) in tables.ranges(kind).items():
        value = each.at(path)
        if isinstance(value, int | float) and not least <= value <= most:
            says = f"{path} is {value}, and the scheduler does not start"
            yield each.found_at(path, says=says, fix=f"write a number from {least} to {most}")
    for path in facts.get("refuses", ()):
        if each.at(path) is not None:
            says = f"{kind} does not take {path} any more, and the scheduler does not start"
            yield each.found_at(path, says=says, fix="remove it", on_key=True)
    for path in facts.get("required", ()):
        if not each.at(path):
            yield each.found("parameters", says=f"{kind} needs {path}", fix="name the model")
    for needing, needed in facts.get("only_with", {}).items():
        if each.at(needing) is not None and not each.at(needed):
            says = f"{kind} with {needing} and without {needed} does not start"
            yield each.found_at(needing, says=says, fix=f"set {needed}")
    for path in facts.get("refuses_zero", ()):
        if each.at(path) == 0:
            says = f"{path} is 0, and the scheduler does not start"
            yield each.found_at(path, says=says, fix="write a number above 0")


def _references(each: Listed) -> Iterator[Draft]:
    """Plugins that this one names: there, of the kind that it needs, and before it where the order matters."""
    names = each.config.names
    in_order = not each.config.tables.facts.get("any_order")
    kinds = {one.name: one.kind for one in each.config.plugins}
    there = names[: each.index] if in_order else names
    for key in each.facts.get("refers", ()):
        name, wanted = each.names(key), each.facts.get("refers_to", {}).get(key)
        where = ("parameters", *key.split(".")) if each.at(key) is not None else ()
        if name in there:
            if wanted and kinds.get(name) not in (wanted, ""):
                says = f"{name} is a {kinds[name]}, and {each.name} needs a {wanted}: the scheduler does not start"
                of_kind = [one for one, is_a in kinds.items() if is_a == wanted]
                yield each.found(*where, says=says, fix=f"name {one_of(of_kind or [f'a {wanted}'])}")
        elif name:
            what = "comes after it" if name in names else "is not in the list"
            meant = "" if name in names or not where else did_you_mean(name, there, listed_up_to=0)
            add = f"put {name} before {each.name}" if name in names or in_order else f"add {name} to the plugins"
            yield each.found(*where, says=f"{each.name} needs {name} ({key}), which {what}", fix=meant or add)


def _typed(each: Listed, value: Any, here: Route, path: str = "") -> Iterator[Draft]:
    """Parameters whose type is known, and nested ones that nothing reads. Of refused ones is said elsewhere."""
    types, refused = each.config.tables.types.get(each.type, {}), each.facts.get("refuses", ())
    if path in refused:
        return
    if path in types:
        if value is not None and not fits(value, types[path]):
            words = WORDS[types[path]]
            yield each.found(*here, says=f"{path} is {value!r}, not {words}", fix=f"write {words}")
    elif isinstance(value, dict):
        below = [known[len(path) :].lstrip(".") for known in types if known.startswith(f"{path}." if path else "")]
        keys = {known.partition(".")[0].partition("[")[0] for known in below}
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if path and keys and key not in keys and inner not in refused:
                fix = did_you_mean(str(key), sorted(keys)) or "remove it"
                says = f"the scheduler {_does(each.config)} {inner}"
                yield each.found(*here, key, says=says, fix=fix, on_key=True)
            else:
                yield from _typed(each, item, (*here, key), inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _typed(each, item, (*here, index), f"{path}[]")


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
    return kind in _LEAST
