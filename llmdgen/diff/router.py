"""values/router.yaml as facts: the pool, and the scheduler with its plugins, their parameters and weights.

Which key means what is data, by the router's chart (facts/data/router-charts.toml).
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from llmdgen.diff.containers import variable
from llmdgen.diff.state import FAILURE_MODE, Facts, Key, Part, leaves, named, taken
from llmdgen.diff.yaml import load
from llmdgen.facts.catalogue import table
from llmdgen.untyped import at, items, mapping, maps

FILE = "values/router.yaml"
_SUBJECTS = {"httpRoute": "route", "experimentalHttpRoute": "route"}


def router_parts(given: dict[str, Any], chart: str, place: str) -> list[Part]:
    """The values file of that chart, and the scheduler's configuration in it. Of a chart that is not known, each value
    is under its path, as if all were in the scheduler's pod. Raises DiffError."""
    tree, facts = deepcopy(given), Facts()
    form = mapping(table("router-charts.toml").get(chart))
    if not form:
        facts.under("scheduler", "pod", FILE, tree)
        return [Part(Key("scheduler", "pod", FILE), None, facts)]

    def take(name: str) -> Any:
        return taken(tree, *form[name].split("."))

    parts = []
    configs, used = mapping(take("plugins")), at(tree, *form["plugins_file"].split("."))
    for name, text in configs.items():
        if name != used:  # a text that the ConfigMap holds
            facts.say("scheduler", "value", f"{form['plugins']} {name}", text)
        else:
            config = load(text, f"{place}: plugins") if isinstance(text, str) else mapping(text)
            parts.append(Part(Key("scheduler", "value", "plugins written as"), text, _plugins(config)))
    replicas = take("replicas")
    facts.say("scheduler", "replicas", "replicas", 1 if replicas is None else replicas)
    image = [taken(tree, *path.split(".")) for path in form["image"]]
    if None not in image:
        facts.say("scheduler", "image", "image", "{}/{}:{}".format(*image))
    if (mode := take("failure_mode")) is not None:
        facts[FAILURE_MODE] = str(mode)
    for name, value in mapping(take("flags")).items():
        facts.say("scheduler", "flag", f"--{name}", value)
    for prefix, path in (("", "env"), ("tokenizer ", "tokenizer_env")):
        for name, source in named(items(take(path))).items():
            facts.say("scheduler", "env", f"{prefix}env {name}", variable(mapping(source)))
    ports = items(take("target_ports"))
    if all(isinstance(port, dict) and set(port) == {"number"} for port in ports):
        facts.say("pool", "port", "target ports", [port["number"] for port in ports])
    else:
        facts.under("pool", "port", "target ports", ports)
    facts.under("pool", "label", "selector", take("selector"))
    for path, value in leaves(tree):
        if path:
            _say_by_path(facts, form, path, value)
    return [Part(Key("scheduler", "value", FILE), None, facts), *parts]


def _say_by_path(facts: Facts, form: dict[str, Any], path: str, value: Any) -> None:
    """A value that has no name of its own: of the pool, the scheduler in its pod or beside it, or another; a value of
    the pool may be in the scheduler's pod too."""
    thing = f"{FILE} {'.'.join(path.split('.')[:2])}"
    if root := _root(path, form["pool"]):
        topic = "pod" if _root(path, form["pool_in_the_pods"]) else "parameter"
        facts.say("pool", topic, path.removeprefix(f"{root}."), value)
    elif _root(path, form["scheduler"]):
        topic = "value" if _root(path, form["beside_the_pods"]) else "pod"
        facts.say("scheduler", topic, f"{FILE} {path}", value, thing)
    else:
        facts.say(_SUBJECTS.get(path.partition(".")[0], "gateway"), "value", f"{FILE} {path}", value, thing)


def _root(path: str, roots: list[str]) -> str:
    """The one of the roots that a path is or lies below, "" for none."""
    return next((root for root in roots if path == root or path.startswith((f"{root}.", f"{root}["))), "")


def _plugins(given: dict[str, Any]) -> Facts:
    """The EndpointPickerConfig that is in use, key by key."""
    config, facts = deepcopy(given), Facts()
    seen: dict[str, int] = {}
    for _, plugin in maps(taken(config, "plugins")):
        kind = str(plugin.pop("type", None))
        name = str(plugin.pop("name", kind))
        seen[name] = seen.get(name, 0) + 1
        name = name if seen[name] == 1 else f"{name} ({seen[name]})"
        thing = f"plugin {name}"
        facts.say("scheduler", "plugin", thing, kind, thing)
        for path, value in leaves(plugin):
            if path:
                facts.say("scheduler", "parameter", f"{name} {path.removeprefix('parameters.')}", value, thing)
    for _, profile in maps(taken(config, "schedulingProfiles")):
        of = str(profile.pop("name", None))
        for _, reference in maps(taken(profile, "plugins")):
            scorer, weight = str(reference.get("pluginRef")), reference.get("weight", "used")
            facts.say("scheduler", "weight", f"{scorer} in profile {of}", weight, f"plugin {scorer}")
        facts.under("scheduler", "parameter", f"profile {of}", profile)
    facts.under("scheduler", "parameter", "", config)
    return facts
