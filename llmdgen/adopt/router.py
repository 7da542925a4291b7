"""What values of the router's chart, or of inferencepool before it, say that a spec can say too."""

from __future__ import annotations

from typing import Any

from llmdgen.adopt.found import Found, shortened
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.untyped import at, items, mapping, maps

_THRESHOLDS = ("nonCachedTokens", "threshold")
_ALWAYS = "always-disagg-pd-decider"


def scheduler_spec(found: Found) -> dict[str, Any]:
    """What a spec says under `scheduler`: replicas, weights of scorers, and from when prompts are disaggregated."""
    said: dict[str, Any] = {}
    for file, doc in found.router:
        root = mapping(doc.get("router"))
        name = "router.epp" if root else "inferenceExtension"
        picker = mapping(root.get("epp") if root else doc.get(name))
        replicas, provider = picker.get("replicas"), at(doc, "provider", "name")
        if isinstance(replicas, int) and replicas > 1:
            said["replicas"] = replicas
        if provider in ("istio", "kgateway"):
            found.provider = found.provider or provider
        found.leave_rest(file, picker, "router", under=f"{name}.")
        found.leave_rest(file, root, "router", under="router.")
        found.leave_rest(file, doc, "router")
        for text in mapping(picker.get("pluginsCustomConfig")).values():
            said |= _configuration(text, file, f"{name}.pluginsCustomConfig", found)
    return said


def _configuration(text: Any, file: str, key: str, found: Found) -> dict[str, Any]:
    try:
        config = mapping(load(text) if isinstance(text, str) else text)
    except (YAMLError, RecursionError, ValueError, TypeError):
        found.leave(file, key, "it is not YAML")
        return {}
    said: dict[str, Any] = {}
    types: dict[str, str] = {}
    for _, plugin in maps(config.get("plugins")):
        kind, parameters = str(plugin.get("type")), mapping(plugin.get("parameters"))
        types[str(plugin.get("name") or kind)] = kind
        tokens = next((parameters[each] for each in _THRESHOLDS if each in parameters), 0 if kind == _ALWAYS else None)
        if isinstance(tokens, int) and tokens >= 0:
            said["nonCachedTokens"] = tokens
        if rest := {str(name) for name in parameters if name not in (*_THRESHOLDS, "deciderPluginName")}:
            says = "the path sets the parameters of its plugins; values.router can say others"
            found.leave(file, f"{key} {kind} {', '.join(sorted(rest))}", says)
    profiles = items(config.get("schedulingProfiles"))
    for _, plugin in (each for profile in profiles for each in maps(at(profile, "plugins"))):
        weight = plugin.get("weight")
        if isinstance(weight, int | float) and not isinstance(weight, bool):
            said.setdefault("weights", {})[types.get(str(plugin.get("pluginRef")), "")] = float(weight)
    if config:
        found.leave(file, key, f"the path chooses the plugins itself: {shortened(', '.join(types.values()))}")
    return said
