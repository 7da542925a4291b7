"""A scheduler's configuration as its loader takes it: what is refused, and what is ignored without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.findings import Route
from llmdgen.registry import Draft, rule
from llmdgen.scheduling.document import Listed, SchedulerConfig
from llmdgen.scheduling.tables import references_of
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import items, mapping

SATURATION = {
    "queueDepthThreshold": "count",
    "kvCacheUtilThreshold": "share",
    "metricsStalenessThreshold": "duration",
}
OTHER_ROLE = {"prefill": "decode", "decode": "prefill"}
LABEL_FILTERS = ("by-label", "by-label-selector", "label-selector-filter")
ASKED = ("scorer", "filter", "picker")
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


@rule("EPP003", "error", "a scheduler configuration that does not do what it says")
def configuration_is_sound(config: SchedulerConfig) -> Iterator[Draft]:
    """The scheduler exits at an unknown plugin type, at a reference to a plugin that is not there, at a profile that is
    missing, and from llm-d v0.9.0 on at an unknown parameter, which older ones ignore. Other mistakes change what it
    does without an error: a prefix-based-pd-decider without the feature gate of its release, or a handler without a
    decider, sends every request to decode alone.

    Fails:  pd-profile-handler before its decider; threshold and hashBlockSize of pd-profile-handler; blockSize alone of
            prefix-cache-scorer; pluginsConfigFile with a name that pluginsCustomConfig does not have; a prefill profile
            in front of servers that all decode.
    Passes: the configuration that the paths make, with other weights.
    """
    yield from config.unread
    if config.document is None or not config.inside:
        return
    yield from _head(config)
    broken = False
    for key in ("plugins", "schedulingProfiles", "featureGates"):
        if config.doc.get(key) is not None and not isinstance(config.doc[key], list):
            yield config.found(key, says=f"{key} is not a list", fix="write each entry after a dash", on_key=True)
            broken |= key != "featureGates"
    if broken:
        return
    if not config.plugins:
        yield config.found(says="it has no plugins", fix="list the plugins that the profiles refer to")
        return
    for each in config.plugins:
        yield from _plugin(each)
    for part in (_handlers, _deciders, _unasked, _profiles, _of_the_handler, _saturation, _roles):
        yield from part(config)


def _saturation(config: SchedulerConfig) -> Iterator[Draft]:
    detector = config.doc.get("saturationDetector")
    for name, value in detector.items() if isinstance(detector, dict) else ():
        kind = SATURATION.get(str(name))
        if kind is None:
            fix = did_you_mean(str(name), SATURATION)
            yield config.found("saturationDetector", name, says=f"the scheduler ignores {name}", fix=fix, on_key=True)
        elif not _fits(value, kind):
            says = f"{name} is {value!r}, not {WORDS[kind]}"
            yield config.found("saturationDetector", name, says=says, fix=f"write {WORDS[kind]}")


def _roles(config: SchedulerConfig) -> Iterator[Draft]:
    """Profiles for the roles that there are, no more and no less, and a port that the pool has. In some releases a
    plugin beside the handler names the chosen prefill server."""
    roles, splitting, header = {each.role for each in config.servers}, config.splitting(), config.form.split.header
    if header is not None and splitting and not config.of_kind("header"):
        says = f"without {header.type} no request names its prefill server, and decode computes every prompt"
        yield config.found("plugins", says=says, fix=f"add {header.type}")
    if roles and splitting and "prefill" not in roles:
        says = f"{splitting[0].name} needs prefill servers, and there are none"
        yield config.found(says=says, fix=f"use {config.form.single.handler.type}")
    elif "prefill" in roles and not any("splits" in each.facts for each in config.plugins):
        handler = config.form.split.handler.type
        says = f"without {handler} prefill servers get whole requests, or none"
        yield config.found(says=says, fix=f"use {handler} with a prefill and a decode profile")
    for each in config.of_kind("handler"):
        port = each.parameters.get("primaryPort")
        if port and config.pool_ports and port not in config.pool_ports:
            ports = ", ".join(map(str, config.pool_ports))
            says = f"{each.name} sends requests to port {port}, the pool has {ports}"
            yield each.found_at("primaryPort", says=says, fix="set primaryPort to 0 or to a port of the pool")


def _handlers(config: SchedulerConfig) -> Iterator[Draft]:
    """One handler, with as many profiles as it takes and a decider where it has a choice."""
    found, profiles = config.of_kind("handler"), config.profiles
    if len(found) != 1 and (found or len(profiles) > 1):
        says = f"there are {len(found)} profile handlers" if found else "there is no profile handler"
        route: Route = ("plugins", found[1].index) if found else ("plugins",)
        yield config.found(*route, says=says, fix="keep exactly one, such as single-profile-handler", on_key=not found)
    for each in config.plugins:
        most, splits = each.facts.get("most_profiles"), each.facts.get("splits")
        if most and len(profiles) > most:
            says = f"{each.name} takes {most} profile, and there are {len(profiles)}"
            fix = "keep one, or use a handler that picks among them"
            yield config.found("schedulingProfiles", says=says, fix=fix, on_key=True)
        if splits and not each.names(splits):
            says = f"without {splits} {each.name} sends every request to decode alone"
            yield each.found(says=says, fix=f"name a decider in {splits}")


def _deciders(config: SchedulerConfig) -> Iterator[Draft]:
    """A decider that counts cached tokens: a number to compare with, and whoever counts."""
    split = config.form.split
    gates = items(config.doc.get("featureGates"))
    for each in config.of_type(split.by_prefix.type):
        if not each.parameters.get("nonCachedTokens"):
            if says := each.facts.get("at_zero"):
                yield each.found(says=says, fix=f"use {split.always.type}, or a number above 0")
            continue
        for gate in split.by_prefix_gates:
            if gate not in gates:
                says = f"without the feature gate {gate} {each.type} sends every request to decode alone"
                yield each.found(says=says, fix=f"add featureGates: [{gate}]")
        if split.one_scorer and not config.of_type(split.one_scorer):
            says = f"{each.type} reads what a {split.one_scorer} prepares, and there is none"
            yield each.found(says=says, fix=f"add a {split.one_scorer} to the plugins and to the profiles")


def _unasked(config: SchedulerConfig) -> Iterator[Draft]:
    """Scorers, filters and pickers that no profile refers to."""
    referred = {name for profile in config.profiles for name in references_of(profile)}
    split = config.form.split
    if split.one_scorer and config.of_type(split.by_prefix.type):
        referred.add(split.one_scorer)  # the decider reads what it prepares, scored or not
    strange = referred - {*config.names}
    for each in config.plugins if config.profiles else ():
        if each.kind in ASKED and each.name not in referred:
            if any(each.name in did_you_mean(name, [each.name], listed_up_to=0) for name in strange):
                continue  # the reference is misspelt, which is said there
            says = f"no profile refers to {each.name}, so it decides nothing"
            yield each.found(says=says, fix="add a pluginRef to a profile, or remove it")


def _profiles(config: SchedulerConfig) -> Iterator[Draft]:
    called = [str(profile.get("name")) for profile in config.profiles]
    for number, profile in enumerate(config.profiles):
        if not isinstance(profile.get("name"), str) or not profile["name"]:
            says = "the profile has no name, and the scheduler does not start"
            yield config.found("schedulingProfiles", number, says=says, fix="write name: default")
        yield from _references(config, number, profile)
        if called[:number].count(called[number]) == 1:
            says = f"two profiles are called {called[number]}"
            yield config.found("schedulingProfiles", number, "name", says=says, fix="keep one")


def _references(config: SchedulerConfig, number: int, profile: dict[str, Any]) -> Iterator[Draft]:
    names = config.names
    broken = [each.name for each in config.plugins if not each.facts]
    pickers: list[Route] = []
    seen: set[str] = set()
    for index, reference in enumerate(items(profile.get("plugins"))):
        here: Route = ("schedulingProfiles", number, "plugins", index)
        name = mapping(reference).get("pluginRef")
        if name not in names:
            if name is None:
                says, fix = "the reference has no pluginRef", "write pluginRef: and a plugin's name"
                yield config.found(*here, says=says, fix=fix)
            elif not (broken and did_you_mean(str(name), broken, listed_up_to=0)):
                # A plugin whose type is misspelt is meant: that is said where it stands.
                fix = did_you_mean(str(name), names, listed_up_to=0) or f"add it to plugins: - type: {name}"
                yield config.found(*here, "pluginRef", says=f"there is no plugin {name}", fix=fix)
            continue
        kind = config.plugins[names.index(name)].kind
        pickers += [here] if kind == "picker" else []
        if name in seen:
            says = f"the profile refers to {name} twice, which counts it twice"
            yield config.found(*here, says=says, fix="name it once")
        seen.add(name)
        for key in reference:
            if key not in ("pluginRef", "weight"):
                says, fix = f"a reference has no {key}", "use pluginRef and weight"
                yield config.found(*here, key, says=says, fix=fix, on_key=True)
        weight = reference.get("weight", 1)
        if kind in ("filter", "picker") and "weight" in reference:
            says = f"{name} is a {kind}, and only scorers have a weight"
            yield config.found(*here, "weight", says=says, fix="remove it", on_key=True)
        elif isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            says = "the weight is empty" if weight is None else f"the weight {weight!r} is not a number from 0"
            yield config.found(*here, "weight", says=says, fix="write such as 1 or 2.5, without quotes")
    if len(pickers) > 1:
        yield config.found(*pickers[1], says=f"the profile has {len(pickers)} pickers", fix="keep one")


def _of_the_handler(config: SchedulerConfig) -> Iterator[Draft]:
    """The profiles that a splitting handler asks for by name, each with servers of its own role."""
    called = [str(profile.get("name")) for profile in config.profiles]
    for each in config.splitting():
        for key, role in each.facts["profiles"].items():
            wanted = each.at(key) or role
            if wanted not in called:
                fix = f"add it, or set {key}: the profiles are {one_of(dict.fromkeys(called))}" if called else "add it"
                route = ("parameters", *key.split(".")) if each.at(key) is not None else ()
                yield each.found(*route, says=f"{each.name} needs a profile {wanted}", fix=fix)
                continue
            number = called.index(wanted)
            referred = references_of(config.profiles[number])
            kinds = {one.type for one in config.plugins if one.name in referred}
            wrong, right = (config.form.split.roles.get(one, "") for one in (OTHER_ROLE.get(role, ""), role))
            if wrong in kinds:
                says = f"the {role} profile picks servers by {wrong}"
                yield config.found("schedulingProfiles", number, says=says, fix=f"refer to {right} there")
            elif right and not {right, *LABEL_FILTERS} & kinds:
                says = f"the {role} profile takes servers of either role"
                yield config.found("schedulingProfiles", number, says=says, fix=f"refer to {right} there")


def _head(config: SchedulerConfig) -> Iterator[Draft]:
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


def _plugin(each: Listed) -> Iterator[Draft]:
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
    yield from _named(each)


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


def _named(each: Listed) -> Iterator[Draft]:
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
        if value is not None and not _fits(value, types[path]):
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


def _fits(value: Any, kind: str) -> bool:
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
