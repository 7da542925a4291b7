"""values/router.yaml as facts: the pool, and the scheduler with its plugins, their parameters and weights.

Which key means what is data, by the router's chart (facts/data/router-charts.toml).
"""

from __future__ import annotations

from typing import Any

from llmdgen.diff.spelling import variable
from llmdgen.diff.state import Facts, Key, Part, Read, fact, leaves, named, taken, under
from llmdgen.diff.yaml import load
from llmdgen.facts.catalogue import table
from llmdgen.untyped import at, items, mapping

FILE = "values/router.yaml"
# What becomes of requests while no scheduler is ready; the chart writes it into the InferencePool.
FAILURE_MODE = Key("pool", "parameter", "failureMode")
_SUBJECTS = {"httpRoute": "route", "experimentalHttpRoute": "route"}


def router_facts(tree: dict[str, Any], chart: str, place: str) -> Read:
    """The facts of a values file of that chart. Of a chart that is not known, each value under its path, as if all were
    in the scheduler's pod."""
    form = table("router-charts.toml").get(chart)
    if not isinstance(form, dict):
        return Read(under("scheduler", "pod", FILE, tree))
    facts, parts = _plugins(tree, form, place)
    replicas = _take(tree, form["replicas"])
    facts[Key("scheduler", "replicas", "replicas")] = fact(1 if replicas is None else replicas)
    image = [_take(tree, path) for path in form["image"]]
    if None not in image:
        registry, name, tag = map(str, image)
        facts[Key("scheduler", "image", "image")] = f"{registry}/{name}:{tag}"
    if (mode := _take(tree, form["failure_mode"])) is not None:
        facts[FAILURE_MODE] = fact(mode)
    for name, value in mapping(_take(tree, form["flags"])).items():
        facts[Key("scheduler", "flag", f"--{name}")] = fact(value)
    for prefix, path in (("", form["env"]), ("tokenizer ", form["tokenizer_env"])):
        for name, source in named(items(_take(tree, path))).items():
            facts[Key("scheduler", "env", f"{prefix}env {name}")] = variable(mapping(source))
    ports = [mapping(port).get("number") for port in items(_take(tree, form["target_ports"]))]
    facts[Key("pool", "port", "target ports")] = fact(ports)
    for name, value in mapping(_take(tree, form["selector"])).items():
        facts[Key("pool", "label", f"selector {name}")] = fact(value)
    facts |= {_key(path, form): value for path, value in leaves(tree) if path}
    return Read(facts, parts)


def _take(tree: dict[str, Any], path: str) -> Any:
    return taken(tree, *path.split("."))


def _key(path: str, form: dict[str, Any]) -> Key:
    """What a value is about that has no name of its own: the pool, the scheduler in its pod or beside it, or another;
    a value of the pool may be in the scheduler's pod too."""
    named = f"{FILE} {path}"
    if root := _root(path, form["pool"]):
        topic = "pod" if _root(path, form["pool_in_the_pods"]) else "parameter"
        return Key("pool", topic, path.removeprefix(f"{root}."))
    if _root(path, form["scheduler"]):
        return Key("scheduler", "value" if _root(path, form["beside_the_pods"]) else "pod", named)
    return Key(_SUBJECTS.get(path.partition(".")[0], "gateway"), "value", named)


def _root(path: str, roots: list[str]) -> str:
    """The one of the roots that a path is or lies below, "" for none."""
    return next((root for root in roots if path == root or path.startswith((f"{root}.", f"{root}["))), "")


def _plugins(tree: dict[str, Any], form: dict[str, Any], place: str) -> tuple[Facts, dict[str, Part]]:
    """The EndpointPickerConfig that is in use, key by key; others beside it are texts that the ConfigMap holds."""
    configs = mapping(_take(tree, form["plugins"]))
    used = configs.pop(str(at(tree, *form["plugins_file"].split("."))), None)
    facts: Facts = {
        Key("scheduler", "value", f"{form['plugins']} {name}"): fact(text) for name, text in configs.items()
    }
    if used is None:
        return facts, {}
    config = load(used, f"{place}: plugins") if isinstance(used, str) else mapping(used)
    own = _configuration(config)
    return facts | own, {"plugins": Part("scheduler", "value", "plugins written as", used, frozenset(own))}


def _configuration(config: dict[str, Any]) -> Facts:
    facts: Facts = {}
    seen: dict[str, int] = {}
    for plugin in items(taken(config, "plugins")):
        kind = str(mapping(plugin).get("type"))
        name = str(mapping(plugin).get("name", kind))
        seen[name] = seen.get(name, 0) + 1
        name = name if seen[name] == 1 else f"{name} ({seen[name]})"
        facts[Key("scheduler", "plugin", f"plugin {name}")] = kind
        rest = {key: value for key, value in mapping(plugin).items() if key not in ("type", "name")}
        for path, value in leaves(rest):
            if path:
                facts[Key("scheduler", "parameter", f"{name} {path.removeprefix('parameters.')}")] = value
    for profile in items(taken(config, "schedulingProfiles")):
        of = str(mapping(profile).get("name"))
        for reference in items(taken(mapping(profile), "plugins")):
            scorer = str(mapping(reference).get("pluginRef"))
            weight = fact(mapping(reference).get("weight", "used"))
            facts[Key("scheduler", "weight", f"{scorer} in profile {of}")] = weight
        rest = {key: value for key, value in mapping(profile).items() if key != "name"}
        facts |= under("scheduler", "parameter", f"profile {of}", rest)
    return facts | under("scheduler", "parameter", "", config)
