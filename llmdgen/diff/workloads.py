"""values/ms.yaml as facts: the model, and the pods of each role.

Each reader takes what it understands out of the tree; what remains is reported under its path, so nothing is dropped.
"""

from __future__ import annotations

from typing import Any

from llmdgen.diff.arguments import flag_facts, settings
from llmdgen.diff.state import ROLES, Facts, Key, Value, fact, leaves, named, taken
from llmdgen.diff.yaml import compact
from llmdgen.untyped import items, mapping

FILE = "values/ms.yaml"
_PARALLELISM = {
    "tensor": "tensor parallelism",
    "data": "data parallelism",
    "dataLocal": "data parallelism of a pod",
    "workers": "pods of a replica",
}
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def workload_facts(tree: dict[str, Any], release: str, argv: dict[str, tuple[str, ...]]) -> Facts:
    """The facts of the model servers. `argv` is each role's vllm/*.args, for a role whose values do not tell."""
    facts: Facts = {}
    multinode = taken(tree, "multinode")
    facts[Key("deployment", "workload", "workload")] = "LeaderWorkerSet" if multinode else "Deployment"
    model = mapping(taken(tree, "modelArtifacts"))
    for name, value in mapping(taken(model, "labels")).items():
        facts[Key("deployment", "label", f"label {name}")] = fact(value)
    if "authSecretName" in model:
        facts[Key("model", "secret", "Secret")] = fact(model.pop("authSecretName"))
    served = str(model.get("name", ""))
    mount = str(model.get("mountPath", ""))
    if "size" in model:
        facts[Key("model", "model", "size")] = _quantity("memory", model.pop("size"))
    facts |= {Key("model", "model", path): value for path, value in leaves(model) if path}
    for path, value in leaves(mapping(taken(tree, "routing"))):
        name = path.removeprefix("proxy.")
        if path:
            facts[Key("sidecar", "image" if name == "image" else "parameter", name)] = value
    for role in ROLES:
        values = mapping(taken(tree, role))
        if values.get("create", True) and values:
            facts |= _role(role, values, release, argv.get(role, ()), (served, mount))
    for index, each in enumerate(items(taken(tree, "extraObjects"))):
        kind = str(mapping(each).get("kind", index))
        subject = "route" if kind == "HTTPRoute" else "deployment"
        for path, value in leaves(each):
            facts[Key(subject, "value", f"{kind} {path}".rstrip())] = value
    facts |= remaining("deployment", FILE, tree)
    return facts


def remaining(subject: str, file: str, tree: dict[str, Any], prefix: str = "") -> Facts:
    """What nobody took of a values file, under its path."""
    return {Key(subject, "value", f"{file} {prefix}{path}"): value for path, value in leaves(tree) if path}


def _role(role: str, values: dict[str, Any], release: str, argv: tuple[str, ...], model: tuple[str, str]) -> Facts:
    facts: Facts = {Key(role, "replicas", "replicas"): fact(values.pop("replicas", 1))}
    values.pop("create", None)
    sizes = mapping(taken(values, "parallelism"))
    facts |= {
        Key(role, "parallelism", _PARALLELISM.get(name, f"parallelism.{name}")): fact(value)
        for name, value in sizes.items()
    }
    for label, value in mapping(taken(values, "nodeSelector")).items():
        facts[Key(role, "placement", f"node selector {label}")] = fact(value)
    for each in items(taken(values, "tolerations")):
        name, says = _toleration(mapping(each))
        facts[Key(role, "placement", name)] = says
    affinity = taken(values, "extraConfig", "affinity")
    for path, value in leaves(affinity) if affinity else ():
        short = path.replace("requiredDuringSchedulingIgnoredDuringExecution", "required")
        short = short.replace("preferredDuringSchedulingIgnoredDuringExecution", "preferred")
        facts[Key(role, "placement", f"affinity {short}")] = value
    for name, source in named(items(taken(values, "volumes"))).items():
        if name == "shm" and isinstance(source, dict) and "sizeLimit" in mapping(source.get("emptyDir")):
            facts[Key(role, "resource", "/dev/shm")] = _quantity("memory", source["emptyDir"].pop("sizeLimit"))
        facts |= {Key(role, "volume", f"volume {name} {path}".rstrip()): value for path, value in leaves(source)}
    containers = named(items(taken(values, "containers")))
    if "vllm" in containers:
        facts |= _vllm(role, containers["vllm"], release, argv, (sizes, *model))
    for name, container in containers.items():
        facts |= _container(role, "" if name == "vllm" else f"{name} ", mapping(container))
    for name, container in named(items(taken(values, "initContainers"))).items():
        facts |= _container(role, f"{name} ", mapping(container))
    for path, value in leaves(taken(values, "monitoring") or {}):
        if path:
            facts[Key(role, "value", f"{FILE} {role}.monitoring.{path}")] = value
    # The chart writes these on the workload itself, `podAnnotations` on its pods.
    for path, value in leaves(taken(values, "annotations") or {}):
        if path:
            facts[Key(role, "value", f"{FILE} {role}.annotations.{path}")] = value
    # Whatever else stands here goes into the pods.
    facts |= {
        Key(role, "pod", f"{FILE} {role}.{path}"): value for path, value in leaves(values) if path and value != "{}"
    }
    return facts


def _vllm(
    role: str,
    container: dict[str, Any],
    release: str,
    argv: tuple[str, ...],
    given: tuple[dict[str, Any], str, str],
) -> Facts:
    """What vLLM of a role is started with. A script is read for its `vllm serve`; its other lines are a fact too."""
    from llmdgen.kube.command_line import served_arguments

    sizes, served, mount = given
    facts: Facts = {}
    command = [str(word) for word in items(container.get("command"))]
    args = [str(word) for word in items(container.get("args"))]
    if container.get("modelCommand") == "custom":
        found = served_arguments(command, args, {"LWS_WORKER_INDEX": "0"})
        if found is not None:
            container.pop("args", None)
            facts[Key(role, "script", "start script")] = compact([_before_serving(word) for word in args])
    else:
        found = tuple(args) if args else None
        container.pop("args", None)
    flags = settings(argv if found is None else found, release)
    for name, expected in _implied(container, sizes, served).items():
        if flags.get(name) == expected:
            del flags[name]
    if str(flags.get("model", "")) == served or (mount and str(flags.get("model", "")).startswith(f"{mount}/")):
        flags.pop("model", None)  # neither is there where the values say something else than a model
    return facts | flag_facts(role, flags)


def _before_serving(script: str) -> str:
    """The lines of a script up to the one that starts vLLM, whose arguments are compared by meaning."""
    lines = script.split("\n")
    for index, line in enumerate(lines):
        if "vllm serve" in line and not line.lstrip().startswith("#"):
            lines = lines[:index]
            break
    return "\n".join(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _implied(container: dict[str, Any], sizes: dict[str, Any], served: str) -> dict[str, Any]:
    """The flags that only repeat other values, which are facts already."""
    ports = named(items(container.get("ports")))
    return {
        "tensor-parallel-size": sizes.get("tensor"),
        "data-parallel-size": sizes.get("data"),
        "data-parallel-size-local": sizes.get("dataLocal"),
        "port": mapping(ports.get("vllm")).get("containerPort"),
        "served-model-name": [served],
    }


def _container(role: str, prefix: str, container: dict[str, Any]) -> Facts:
    facts: Facts = {}
    if "image" in container:
        facts[Key(role, "image", f"{prefix}image")] = fact(container.pop("image"))
    for name, source in named(items(taken(container, "env"))).items():
        facts[Key(role, "env", f"{prefix}env {name}")] = variable(mapping(source))
    facts |= _resources(role, prefix, mapping(taken(container, "resources")))
    for name, port in named(items(taken(container, "ports"))).items():
        facts |= {Key(role, "port", f"{prefix}port {name} {path}".rstrip()): value for path, value in leaves(port)}
    for probe in _PROBES:
        for path, value in leaves(taken(container, probe) or {}):
            if path:
                facts[Key(role, "probe", f"{prefix}{probe} {path}")] = value
    mounts = items(taken(container, "volumeMounts"))
    for mount in mounts:
        name = str(mapping(mount).get("mountPath", compact(mount)))
        facts[Key(role, "volume", f"{prefix}mount {name}")] = compact(
            {key: value for key, value in mapping(mount).items() if key != "mountPath"}
        )
    facts |= {Key(role, "pod", f"{prefix}{path}"): value for path, value in leaves(container) if path}
    return facts


def variable(source: dict[str, Any]) -> Value:
    """The value of an environment variable, or where it comes from."""
    if set(source) == {"value"}:
        return fact(source["value"])
    for kind, inner in mapping(source.get("valueFrom")).items():
        if isinstance(inner, dict):
            return "from " + " ".join([kind, *(compact(inner[key]) for key in sorted(inner, reverse=True))])
    return compact(source)


def _resources(role: str, prefix: str, resources: dict[str, Any]) -> Facts:
    """What a container requests; the limit apart only where it is another."""
    facts: Facts = {}
    limits, requests = mapping(taken(resources, "limits")), mapping(taken(resources, "requests"))
    for name in {**requests, **limits}:
        topic = "device" if "/" in name else "resource"
        label = "EFA interfaces of a pod" if name.endswith("/efa") else name
        limit, request = _quantity(name, limits.get(name)), _quantity(name, requests.get(name))
        if limit == request:
            facts[Key(role, topic, f"{prefix}{label}")] = limit
            continue
        facts[Key(role, topic, f"{prefix}{label} limit")] = limit
        facts[Key(role, topic, f"{prefix}{label} request")] = request
    facts |= {Key(role, "pod", f"{prefix}resources.{path}"): value for path, value in leaves(resources) if path}
    return {key: value for key, value in facts.items() if value is not None}


def _quantity(name: str, value: Any) -> Value:
    """A quantity in one spelling: "8000m" and 8 are 8, 65536Mi is 64Gi; a count of devices is a number."""
    from llmdgen.quantities import MIB, cpu_text, mib_text, to_bytes, to_millis

    text = compact(value)
    if value is None or len(text) > 30:
        return fact(value)
    if "/" in name:
        return int(text) if text.isascii() and text.isdigit() else text
    try:
        if name == "cpu":
            return cpu_text(to_millis(text))
        size = to_bytes(text)
        return mib_text(size // MIB) if size % MIB == 0 else text
    except ValueError:
        return text


def _toleration(toleration: dict[str, Any]) -> tuple[str, str]:
    key, operator = str(toleration.get("key", "")), str(toleration.get("operator", "Equal"))
    effect = str(toleration.get("effect", ""))
    name = " ".join(part for part in ("toleration", key or "of everything", effect) if part)
    rest = {item: value for item, value in toleration.items() if item not in ("key", "operator", "effect", "value")}
    says = operator if operator == "Exists" else f"= {compact(toleration.get('value', ''))}"
    return name, f"{says} {compact(rest)}" if rest else says
