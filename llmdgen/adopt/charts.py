"""Values of charts: of llm-d-modelservice as the pods that it would make of them, of the router's chart, or of
inferencepool before it, as what a spec can say too."""

from __future__ import annotations

from typing import Any

from llmdgen.adopt.found import Found, rules, server_of, shortened
from llmdgen.kube.workload import ROLE_LABEL
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.spec.fields import ROLES
from llmdgen.untyped import at, items, mapping, maps

_SIZES = {"tensor": "tensor-parallel-size", "data": "data-parallel-size", "dataLocal": "data-parallel-size-local"}
_THRESHOLDS = ("nonCachedTokens", "threshold")
_ALWAYS = "always-disagg-pd-decider"


def is_modelservice(doc: dict[str, Any]) -> bool:
    """Whether these are values of llm-d-modelservice."""
    return "modelArtifacts" in doc or any(isinstance(at(doc, role, "containers"), list) for role in ROLES)


def read_values(doc: dict[str, Any], file: str, found: Found) -> None:
    """The model and the servers of each role that values of llm-d-modelservice create."""
    accelerator = at(doc, "accelerator", "type")
    if accelerator not in (None, "", "nvidia"):
        found.leave(file, "accelerator.type", f"it is for {accelerator}, and llmdgen plans NVIDIA GPUs alone")
        return
    artifacts = mapping(doc.get("modelArtifacts"))
    for key in rules("modelArtifacts")["read"]:
        value = artifacts.get(key)
        if isinstance(value, str) and value and "{{" not in value:  # the chart fills in the name, the default here too
            found.model[key] = value
    found.leave_rest(file, artifacts, "modelArtifacts", under="modelArtifacts.")
    found.leave_rest(file, doc, "modelservice")
    for role in ROLES:
        values = mapping(doc.get(role))
        if values and values.get("create") is not False:
            _read_role(role, values, artifacts, file, found)


def _read_role(role: str, values: dict[str, Any], artifacts: dict[str, Any], file: str, found: Found) -> None:
    sizes, of_the_pod = mapping(values.get("parallelism")), rules("role")["pod"]
    spec = {key: value for key, value in values.items() if key in of_the_pod}
    spec["containers"] = [_container(each, sizes, artifacts) for _, each in maps(values.get("containers"))]
    template = {"metadata": {"labels": {ROLE_LABEL: role}}, "spec": spec}
    kind, workers = "Deployment", sizes.get("workers")
    body: dict[str, Any] = {"template": template}
    if isinstance(workers, int) and workers > 1:
        kind, body = "LeaderWorkerSet", {"leaderWorkerTemplate": {"size": workers, "workerTemplate": template}}
    server = server_of({"spec": {"replicas": values.get("replicas", 1), **body}}, kind, role, file)
    if server is None:
        found.leave(file, "containers", "none of them runs vllm serve", role)
        return
    found.servers.append(server)
    found.leave_rest(file, {key: values[key] for key in values if key not in of_the_pod}, "role", role=role)


def _container(given: dict[str, Any], sizes: dict[str, Any], artifacts: dict[str, Any]) -> dict[str, Any]:
    """A container with the command that the chart writes for its modelCommand."""
    made = {key: value for key, value in given.items() if key not in ("modelCommand", "mountModelVolume")}
    if given.get("modelCommand") not in ("vllmServe", "imageDefault"):
        return made
    scheme, _, place = str(artifacts.get("uri") or "").partition("://")
    model = f"/model-cache/{place.partition('/')[2]}" if scheme == "pvc" else place
    if not model or "{{" in place:
        model = str(artifacts.get("name") or "unknown")
    words = [f"--{flag}={sizes[key]}" for key, flag in _SIZES.items() if isinstance(sizes.get(key), int)]
    return {**made, "command": ["vllm", "serve"], "args": [model, *words, *items(given.get("args"))]}


def scheduler_spec(found: Found) -> dict[str, Any]:
    """The router's values under `scheduler`: replicas, weights of scorers, from when prompts are disaggregated."""
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
