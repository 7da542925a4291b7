"""A scheduler's configuration as its loader takes it: what is refused, and what is ignored without a word."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks import _scheduler_plugins, _scheduler_profiles
from llmdgen.checks._scheduler_plugins import WORDS, fits
from llmdgen.registry import Draft, rule
from llmdgen.scheduling.document import SchedulerConfig
from llmdgen.scheduling.tables import name_of, parameters_of
from llmdgen.suggest import did_you_mean

SATURATION = {
    "queueDepthThreshold": "count",
    "kvCacheUtilThreshold": "share",
    "metricsStalenessThreshold": "duration",
}


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
    for part in (
        _scheduler_profiles.handlers,
        _scheduler_profiles.deciders,
        _scheduler_profiles.unasked,
        _scheduler_profiles.profiles,
        _scheduler_profiles.of_the_handler,
        _header,
        _saturation,
        _roles,
    ):
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
