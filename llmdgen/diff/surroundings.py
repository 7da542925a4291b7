"""values/gaie.yaml, values/infra.yaml, helmfile.yaml and allocation.yaml as facts."""

from __future__ import annotations

from typing import Any

from llmdgen.diff.state import Facts, Key, fact, leaves, named, taken
from llmdgen.diff.workloads import remaining, variable
from llmdgen.diff.yaml import load
from llmdgen.untyped import items, mapping

# What becomes of requests while no scheduler is ready; the inferencepool chart writes it into the InferencePool.
FAILURE_MODE = Key("pool", "parameter", "failureMode")
BALANCER = "service.beta.kubernetes.io/aws-load-balancer-"


def scheduler_facts(tree: dict[str, Any], place: str) -> Facts:
    """values/gaie.yaml: the pool, and the endpoint picker with its plugins, their parameters and weights."""
    facts: Facts = {}
    pool = mapping(taken(tree, "inferencePool"))
    ports = [mapping(port).get("number") for port in items(taken(pool, "targetPorts"))]
    facts[Key("pool", "port", "target ports")] = fact(ports)
    for name, value in mapping(taken(pool, "modelServers", "matchLabels")).items():
        facts[Key("pool", "label", f"selector {name}")] = fact(value)
    facts |= {Key("pool", "parameter", path): value for path, value in leaves(pool) if path and value != "{}"}
    picker = mapping(taken(tree, "inferenceExtension"))
    facts[Key("scheduler", "replicas", "replicas")] = fact(picker.pop("replicas", 1))
    image = mapping(taken(picker, "image"))
    if {"hub", "name", "tag"} <= set(image):
        hub, name, tag = (str(image.pop(part)) for part in ("hub", "name", "tag"))
        facts[Key("scheduler", "image", "image")] = f"{hub}/{name}:{tag}"
    facts |= {Key("scheduler", "pod", f"image {path}"): value for path, value in leaves(image) if path}
    if "failureMode" in picker:
        facts[FAILURE_MODE] = fact(picker.pop("failureMode"))
    for name, value in mapping(taken(picker, "flags")).items():
        facts[Key("scheduler", "flag", f"--{name}")] = fact(value)
    for prefix, holder in (("", picker), ("tokenizer ", mapping(picker.get("sidecar")))):
        for name, source in named(items(taken(holder, "env"))).items():
            facts[Key("scheduler", "env", f"{prefix}env {name}")] = variable(mapping(source))
    facts |= _plugins(picker, place)
    facts |= {
        Key("scheduler", "value", f"values/gaie.yaml inferenceExtension.monitoring.{path}"): value
        for path, value in leaves(taken(picker, "monitoring") or {})
        if path
    }
    facts |= {
        Key("scheduler", "value", f"values/gaie.yaml inferenceExtension.extraServicePorts{path}"): value
        for path, value in leaves(taken(picker, "extraServicePorts") or {})
        if path
    }
    facts |= {
        Key("scheduler", "pod", f"values/gaie.yaml inferenceExtension.{path}"): value
        for path, value in leaves(picker)
        if path
    }
    facts |= remaining("gateway", "values/gaie.yaml", tree)
    return facts


def _plugins(picker: dict[str, Any], place: str) -> Facts:
    """The EndpointPickerConfig that is in use, key by key; others beside it are never read."""
    custom = mapping(taken(picker, "pluginsCustomConfig"))
    used = custom.get(str(picker.get("pluginsConfigFile", "")))
    facts: Facts = {}
    if used is None:
        return facts
    config = load(used, f"{place}: plugins") if isinstance(used, str) else mapping(used)
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
        facts |= {Key("scheduler", "parameter", f"profile {of} {path}"): value for path, value in leaves(rest) if path}
    facts |= {Key("scheduler", "parameter", path): value for path, value in leaves(config) if path}
    return facts


def gateway_facts(tree: dict[str, Any]) -> Facts:
    """values/infra.yaml: the Gateway's class, its Service and the load balancer's annotations, wherever the provider
    keeps them."""
    facts: Facts = {}
    gateway = mapping(taken(tree, "gateway"))
    found_class = taken(gateway, "gatewayClassName")
    service_type = taken(gateway, "service", "type")
    annotations = mapping(taken(gateway, "annotations"))
    proxy: dict[str, Any] = mapping(taken(gateway, "gatewayParameters"))
    # Charts since v1.4.0 have the log below the provider, and the provider beside the class that says it already.
    if (logging := taken(proxy, "istio", "accessLogging")) is not None:
        proxy["accessLogging"] = logging
    if gateway.get("provider") == found_class:
        gateway.pop("provider", None)
    if gateway.get("enabled") is False:
        gateway.pop("enabled")
    objects = items(taken(tree, "extraDeploy"))
    rest = []
    for each in map(mapping, objects):
        kind = str(each.get("kind", ""))
        if kind == "Gateway" and found_class is None:
            found_class = taken(each, "spec", "gatewayClassName")
        for service in (("spec", "kube", "service"), ("spec", "service", "spec")):
            service_type = taken(each, *service, "type") or service_type
        for route in (("spec", "kube", "service", "extraAnnotations"), ("spec", "service", "metadata", "annotations")):
            annotations |= mapping(taken(each, *route))
        for resources in (("spec", "kube", "envoyContainer", "resources"), ("spec", "resources")):
            proxy |= {"resources": found} if (found := taken(each, *resources)) else {}
        rest += [(f"{kind} {path}", value) for path, value in leaves(each) if path and value != "{}"]
    facts[Key("gateway", "provider", "class")] = fact(found_class)
    facts[Key("gateway", "service", "Service type")] = fact(service_type)
    for name, value in annotations.items():
        short = f"load balancer {name.removeprefix(BALANCER)}" if name.startswith(BALANCER) else f"annotation {name}"
        facts[Key("gateway", "annotation", short)] = fact(value)
    facts |= {
        Key("gateway", "parameter", f"proxy {path}"): value for path, value in leaves(proxy) if path and value != "{}"
    }
    facts |= {Key("gateway", "value", f"values/infra.yaml extraDeploy {path}"): value for path, value in rest}
    facts |= {
        Key("gateway", "value", f"values/infra.yaml gateway.{path}"): value
        for path, value in leaves(gateway)
        if path and value != "{}"
    }
    facts |= remaining("gateway", "values/infra.yaml", tree)
    return {key: value for key, value in facts.items() if value is not None}


def helmfile_facts(tree: dict[str, Any]) -> Facts:
    """helmfile.yaml: releases, namespace, and the charts by version."""
    facts: Facts = {}
    namespaces = set()
    for number, release in enumerate(map(mapping, items(taken(tree, "releases")))):
        values = [str(file) for file in items(release.get("values"))]
        what = values[0].rpartition("/")[2].removesuffix(".yaml") if values else str(number)
        facts[Key("deployment", "name", f"release {what}")] = fact(release.pop("name", None))
        namespaces.add(str(release.pop("namespace", "")))
        chart = str(release.pop("chart", ""))
        version = release.pop("version", None)
        local = chart.startswith((".", "/"))
        facts[Key("charts", "chart", chart.rpartition("/")[2])] = f"local: {chart}" if local else fact(version)
        needs = items(release.get("needs"))
        release["needs"] = [str(need).rpartition("/")[2].partition("-")[0] for need in needs]
        facts |= {Key("deployment", "value", f"helmfile.yaml {what} {path}"): value for path, value in leaves(release)}
    facts[Key("deployment", "namespace", "namespace")] = ", ".join(sorted(namespaces))
    for name, repository in named(items(taken(tree, "repositories"))).items():
        facts[Key("charts", "value", f"repository {name}")] = fact(mapping(repository).get("url"))
    facts |= remaining("deployment", "helmfile.yaml", tree)
    return facts


def release_facts(name: str) -> Facts:
    """What follows of an llm-d release, and no file of a target says: the version of vLLM, and what its chart takes
    where the values are silent. Nothing of a release that is not known."""
    from llmdgen.facts.catalogue import release, release_names

    if name not in release_names():
        return {}
    found = release(name)
    return {Key("deployment", "release", "vLLM"): found.vllm, FAILURE_MODE: found.pool_failure_mode}


def tier_name(tier: str) -> str:
    """What a cache tier's size is called: storage is one for all pods, the others are each pod's own."""
    return f"{tier} cache, of all pods together" if tier == "storage" else f"{tier} cache of a pod"


def allocation_facts(tree: dict[str, Any]) -> Facts:
    """allocation.yaml: what the deployment takes. Sizes that the values state too are left to them."""
    facts: Facts = {
        Key("deployment", "release", "llm-d release"): fact(tree.get("release")),
        Key("deployment", "paths", "well-lit paths"): fact(tree.get("paths")),
    }
    for role, taken_by in mapping(tree.get("roles")).items():
        if role not in ("prefill", "decode"):
            continue
        sizes = mapping(taken_by)
        facts[Key(role, "placement", "instance type")] = fact(sizes.get("instanceType"))
        cache = mapping(sizes.get("kvCache"))
        facts[Key(role, "cache", "KV cache tokens of a rank")] = fact(cache.get("tokensPerRank"))
        facts[Key(role, "cache", "longest request in tokens")] = fact(cache.get("maxModelLen"))
        facts[Key(role, "total", "GPUs of a pod")] = fact(sizes.get("gpusPerPod"))
        facts[Key(role, "total", "pods on a node")] = fact(sizes.get("podsPerNode"))
        for tier, size in mapping(sizes.get("cacheTiers")).items():
            facts[Key(role, "cache", tier_name(str(tier)))] = fact(size)
    for pool in map(mapping, items(tree.get("nodes"))):
        name = str(pool.get("instanceType"))
        nodes, gpus = pool.get("nodes"), mapping(pool.get("gpus"))
        facts[Key("capacity", "nodes", f"{name} nodes")] = fact(nodes)
        used, of = gpus.get("used"), gpus.get("of")
        if isinstance(used, int) and isinstance(of, int):
            facts[Key("capacity", "room", name)] = of
    for each in map(mapping, items(tree.get("suppressed"))):
        facts[Key("deployment", "suppressed", f"suppressed finding {each.get('code')}")] = fact(each.get("reason"))
    total = mapping(tree.get("total"))
    for key, name in (("pods", "pods"), ("gpus", "GPUs"), ("efa", "EFA interfaces")):
        facts[Key("capacity", "total", name)] = fact(total.get(key))
    return {key: value for key, value in facts.items() if value is not None}
