"""A scheduler's configuration as its loader takes it: what is refused, and what is ignored without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks import _scheduler_plugins
from llmdgen.checks._scheduler_plugins import WORDS, fits
from llmdgen.findings import Route
from llmdgen.registry import Draft, rule
from llmdgen.scheduling.document import SchedulerConfig
from llmdgen.scheduling.tables import name_of, of_type, parameters_of, references_of
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import at, items, mapping

SATURATION = {
    "queueDepthThreshold": "count",
    "kvCacheUtilThreshold": "share",
    "metricsStalenessThreshold": "duration",
}
OTHER_ROLE = {"prefill": "decode", "decode": "prefill"}
LABEL_FILTERS = ("by-label", "by-label-selector", "label-selector-filter")
ASKED = ("scorer", "filter", "picker")


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
    yield from _scheduler_plugins.head(config)
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
    for index, each in enumerate(config.plugins):
        yield from _scheduler_plugins.plugin(config, index, each)
    for part in (_handlers, _deciders, _unasked, _profiles, _of_the_handler, _header, _saturation, _roles):
        yield from part(config)


def _header(config: SchedulerConfig) -> Iterator[Draft]:
    """The plugin that names the chosen prefill server in a header, in releases whose handler does not."""
    header = config.form.split.header
    if header is not None and config.splitting() and not config.of_kind("header"):
        says = f"without {header.type} no request names its prefill server, and decode computes every prompt"
        yield config.found("plugins", says=says, fix=f"add {header.type}")


def _saturation(config: SchedulerConfig) -> Iterator[Draft]:
    detector = config.doc.get("saturationDetector")
    for name, value in detector.items() if isinstance(detector, dict) else ():
        kind = SATURATION.get(str(name))
        if kind is None:
            fix = did_you_mean(str(name), SATURATION)
            yield config.found("saturationDetector", name, says=f"the scheduler ignores {name}", fix=fix, on_key=True)
        elif not fits(value, kind):
            says = f"{name} is {value!r}, not {WORDS[kind]}"
            yield config.found("saturationDetector", name, says=says, fix=f"write {WORDS[kind]}")


def _roles(config: SchedulerConfig) -> Iterator[Draft]:
    """Profiles for the roles that there are, no more and no less, and a port that the pool has."""
    roles = {each.role for each in config.servers}
    splitting = config.splitting()
    if config.servers and splitting and "prefill" not in roles:
        name = name_of(splitting[0][1])
        says, fix = f"{name} needs prefill servers, and there are none", f"use {config.form.single.handler.type}"
        yield config.found(says=says, fix=fix)
    elif (
        "prefill" in roles and not splitting and not any("splits" in config.tables.of(each) for each in config.plugins)
    ):
        handler = config.form.split.handler.type
        says = f"without {handler} prefill servers get whole requests, or none"
        yield config.found(says=says, fix=f"use {handler} with a prefill and a decode profile")
    for index, each in config.of_kind("handler"):
        port = parameters_of(each).get("primaryPort")
        if port and config.pool_ports and port not in config.pool_ports:
            ports = ", ".join(map(str, config.pool_ports))
            says = f"{name_of(each)} sends requests to port {port}, the pool has {ports}"
            fix = "set primaryPort to 0 or to a port of the pool"
            yield config.found("plugins", index, "parameters", "primaryPort", says=says, fix=fix)


def _handlers(config: SchedulerConfig) -> Iterator[Draft]:
    """One handler, with as many profiles as it takes and a decider where it has a choice."""
    found, profiles = config.of_kind("handler"), config.profiles
    if len(found) != 1 and (found or len(profiles) > 1):
        says = f"there are {len(found)} profile handlers" if found else "there is no profile handler"
        route: Route = ("plugins", found[1][0]) if found else ("plugins",)
        yield config.found(*route, says=says, fix="keep exactly one, such as single-profile-handler", on_key=not found)
    for index, each in enumerate(config.plugins):
        most = config.tables.of(each).get("most_profiles")
        if most and len(profiles) > most:
            says = f"{name_of(each)} takes {most} profile, and there are {len(profiles)}"
            fix = "keep one, or use a handler that picks among them"
            yield config.found("schedulingProfiles", says=says, fix=fix, on_key=True)
        splits = config.tables.of(each).get("splits")
        if splits and not config.tables.named(each, splits):
            says = f"without {splits} {name_of(each)} sends every request to decode alone"
            yield config.found("plugins", index, says=says, fix=f"name a decider in {splits}")


def _deciders(config: SchedulerConfig) -> Iterator[Draft]:
    """A decider that counts cached tokens: a number to compare with, and whoever counts."""
    split = config.form.split
    gates = items(config.doc.get("featureGates"))
    for index, decider in of_type(config.doc, split.by_prefix.type):
        facts = config.tables.of(decider)
        if not parameters_of(decider).get("nonCachedTokens"):
            if says := facts.get("at_zero"):
                yield config.found("plugins", index, says=says, fix=f"use {split.always.type}, or a number above 0")
            continue
        for gate in split.by_prefix_gates:
            if gate not in gates:
                says = f"without the feature gate {gate} {split.by_prefix.type} sends every request to decode alone"
                yield config.found("plugins", index, says=says, fix=f"add featureGates: [{gate}]")
        if split.one_scorer:
            writers = of_type(config.doc, split.one_scorer)
            if not writers:
                says = f"{split.by_prefix.type} reads what a {split.one_scorer} prepares, and there is none"
                fix = f"add a {split.one_scorer} to the plugins and to the profiles"
                yield config.found("plugins", index, says=says, fix=fix)


def _unasked(config: SchedulerConfig) -> Iterator[Draft]:
    """Scorers, filters and pickers that no profile refers to."""
    names = config.names
    referred = {name for profile in config.profiles for name in references_of(profile)}
    split = config.form.split
    if split.one_scorer and of_type(config.doc, split.by_prefix.type):
        referred.add(split.one_scorer)  # the decider reads what it prepares, scored or not
    for index, (name, each) in enumerate(zip(names, config.plugins, strict=True)):
        if config.tables.kind(each) in ASKED and name not in referred and config.profiles:
            if any(name in did_you_mean(ref, [name], listed_up_to=0) for ref in referred - set(names)):
                continue  # the reference is misspelt, which is said there
            says = f"no profile refers to {name}, so it decides nothing"
            yield config.found("plugins", index, says=says, fix="add a pluginRef to a profile, or remove it")


def _profiles(config: SchedulerConfig) -> Iterator[Draft]:
    """Each profile by itself, and those of one name."""
    for number, profile in enumerate(config.profiles):
        if not isinstance(profile.get("name"), str) or not profile["name"]:
            says = "the profile has no name, and the scheduler does not start"
            yield config.found("schedulingProfiles", number, says=says, fix="write name: default")
        yield from _references(config, number, profile)
    called = [str(profile.get("name")) for profile in config.profiles]
    for name in sorted({name for name in called if called.count(name) > 1}):
        second = called.index(name, called.index(name) + 1)
        yield config.found("schedulingProfiles", second, "name", says=f"two profiles are called {name}", fix="keep one")


def _references(config: SchedulerConfig, number: int, profile: dict[str, Any]) -> Iterator[Draft]:
    names, tables = config.names, config.tables
    broken = [name for name, each in zip(names, config.plugins, strict=True) if not tables.of(each)]
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
        kind = tables.kind(config.plugins[names.index(str(name))])
        pickers += [here] if kind == "picker" else []
        if name in seen:
            says = f"the profile refers to {name} twice, which counts it twice"
            yield config.found(*here, says=says, fix="name it once")
        seen.add(str(name))
        for key in mapping(reference):
            if key not in ("pluginRef", "weight"):
                says, fix = f"a reference has no {key}", "use pluginRef and weight"
                yield config.found(*here, key, says=says, fix=fix, on_key=True)
        yield from _weight(config, here, str(name), kind, mapping(reference))
    if len(pickers) > 1:
        yield config.found(*pickers[1], says=f"the profile has {len(pickers)} pickers", fix="keep one")


def _weight(config: SchedulerConfig, here: Route, name: str, kind: str, given: dict[str, Any]) -> Iterator[Draft]:
    if kind in ("filter", "picker") and "weight" in given:
        says = f"{name} is a {kind}, and only scorers have a weight"
        yield config.found(*here, "weight", says=says, fix="remove it", on_key=True)
        return
    weight = given.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
        says = "the weight is empty" if weight is None else f"the weight {weight!r} is not a number from 0"
        yield config.found(*here, "weight", says=says, fix="write such as 1 or 2.5, without quotes")


def _of_the_handler(config: SchedulerConfig) -> Iterator[Draft]:
    """The profiles that a splitting handler asks for by name, each with servers of its own role."""
    called = [str(profile.get("name")) for profile in config.profiles]
    for index, handler in config.splitting():
        given = parameters_of(handler)
        for key, role in config.tables.of(handler)["profiles"].items():
            wanted = at(given, *key.split(".")) or role
            if wanted not in called:
                fix = f"add it, or set {key}: the profiles are {one_of(dict.fromkeys(called))}" if called else "add it"
                named = at(given, *key.split(".")) is not None
                route: Route = ("plugins", index, "parameters", *key.split(".")) if named else ("plugins", index)
                yield config.found(*route, says=f"{name_of(handler)} needs a profile {wanted}", fix=fix)
                continue
            yield from _role_filter(config, called.index(wanted), role)


def _role_filter(config: SchedulerConfig, number: int, role: str) -> Iterator[Draft]:
    referred = references_of(config.profiles[number])
    kinds = {each.get("type") for each in config.plugins if name_of(each) in referred}
    wrong, right = (config.form.split.roles.get(each, "") for each in (OTHER_ROLE.get(role, ""), role))
    if wrong in kinds:
        says = f"the {role} profile picks servers by {wrong}"
        yield config.found("schedulingProfiles", number, says=says, fix=f"refer to {right} there")
    elif right and not {right, *LABEL_FILTERS} & kinds:
        says = f"the {role} profile takes servers of either role"
        yield config.found("schedulingProfiles", number, says=says, fix=f"refer to {right} there")
