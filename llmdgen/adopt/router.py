"""What values of the router's chart, or of inferencepool before it, say that a spec can say too."""

from __future__ import annotations

from typing import Any

from llmdgen.adopt.found import Found, shortened
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.untyped import at, items, mapping, maps

_CONFIGURATION = ("pluginsCustomConfig", "pluginsConfigFile")
_DECIDERS = {"always-disagg-pd-decider": 0}
_WHY = {
    "image": "the release has images of its own; images.scheduler names another",
    "monitoring": "llmdgen makes it; monitoring.labels names its labels",
    "tracing": "a spec has no field for tracing; values.router can say it",
    "extProcPort": "llmdgen sets it",
    "sidecar": "the path asks for the tokenizer where the release has one",
    "modelServers": "llmdgen labels its model servers and selects them",
    "inferencePool": "llmdgen sets the pool's ports and labels",
    "provider": "llmdgen writes the settings that its gateways need",
    "httpRoute": "llmdgen makes the route",
    "proxy": "requests come through the Gateway; there is no proxy beside the scheduler",
}


def scheduler_spec(found: Found) -> dict[str, Any]:
    """What a spec says under `scheduler`: replicas, weights of scorers, and from when prompts are disaggregated."""
    said: dict[str, Any] = {}
    for file, doc in found.router:
        root = mapping(doc.get("router"))
        picker, name = (mapping(root.get("epp")), "router.epp") if root else (_old(doc), "inferenceExtension")
        replicas = picker.get("replicas")
        if isinstance(replicas, int) and replicas > 1:
            said["replicas"] = replicas
        for key, value in picker.items():
            if key not in ("replicas", *_CONFIGURATION) and value not in ({}, [], "", None, False):
                found.leave(file, f"{name}.{key}", _WHY.get(key, "values.router can say what the path does not"))
        for key in (*(f"router.{each}" for each in root if each != "epp"), *(each for each in doc if each != "router")):
            last = str(key).rpartition(".")[2]
            if key != "inferenceExtension":
                found.leave(file, str(key), _WHY.get(last, "values.router can say what the path does not"))
        for text in mapping(picker.get("pluginsCustomConfig")).values():
            said |= _configuration(text, file, f"{name}.pluginsCustomConfig", found)
        if isinstance(at(doc, "provider", "name"), str) and at(doc, "provider", "name") in ("istio", "kgateway"):
            found.provider = found.provider or str(at(doc, "provider", "name"))
    return said


def _old(doc: dict[str, Any]) -> dict[str, Any]:
    return mapping(doc.get("inferenceExtension"))


def _configuration(text: Any, file: str, key: str, found: Found) -> dict[str, Any]:
    try:
        config = mapping(load(text) if isinstance(text, str) else text)
    except (YAMLError, RecursionError, ValueError, TypeError):
        found.leave(file, key, "it is not YAML")
        return {}
    said: dict[str, Any] = {}
    weights: dict[str, float] = {}
    types: dict[str, str] = {}
    for _, plugin in maps(config.get("plugins")):
        kind, parameters = str(plugin.get("type")), mapping(plugin.get("parameters"))
        types[str(plugin.get("name") or kind)] = kind
        tokens = parameters.get("nonCachedTokens", parameters.get("threshold", _DECIDERS.get(kind)))
        if isinstance(tokens, int) and tokens >= 0:
            said["nonCachedTokens"] = tokens
        if rest := {name for name in parameters if name not in ("nonCachedTokens", "threshold", "deciderPluginName")}:
            why = "the path sets the parameters of its plugins; values.router can say others"
            found.leave(file, f"{key} {kind} {', '.join(sorted(map(str, rest)))}", why)
    for profile in items(config.get("schedulingProfiles")):
        for _, plugin in maps(at(profile, "plugins")):
            weight, kind = plugin.get("weight"), types.get(str(plugin.get("pluginRef")), "")
            if isinstance(weight, int | float) and not isinstance(weight, bool):
                weights[kind] = float(weight)
    if weights:
        said["weights"] = weights
    if config:
        found.leave(file, key, f"the path chooses the plugins itself: {shortened(', '.join(types.values()))}")
    return said
