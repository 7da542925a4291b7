"""The model servers of a role as facts: what its workload says of its pods, and what vLLM in them is started with.

Each reader takes what it understands out of a copy; what remains is reported under its path, so nothing is dropped.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from llmdgen.diff.arguments import flag_facts, settings
from llmdgen.diff.spelling import probe_facts, resource_facts, size, toleration, variable, without_serving
from llmdgen.diff.state import Facts, Key, Part, Read, fact, leaves, named, taken, template_of, under
from llmdgen.diff.yaml import compact
from llmdgen.kube.container import Container
from llmdgen.kube.workload import ROLE_LABEL, Workload
from llmdgen.untyped import at, items, mapping

# What Kubernetes refuses to change in an object that exists. LeaderWorkerSet: its webhook (v0.7.0, pkg/webhooks).
IMMUTABLE: dict[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("spec", "selector"),),
    "StatefulSet": (("spec", "selector"), ("spec", "serviceName"), ("spec", "volumeClaimTemplates")),
    "Job": (("spec", "selector"), ("spec", "template")),
    "LeaderWorkerSet": (("spec", "leaderWorkerTemplate", "subGroupPolicy"),),
    "PersistentVolumeClaim": (
        ("spec", "accessModes"),
        ("spec", "selector"),
        ("spec", "storageClassName"),
        ("spec", "volumeMode"),
        ("spec", "volumeName"),
    ),
}
GROUPS = "LeaderWorkerSet"
MODEL_VOLUME = "model-storage"
_PARALLELISM = {
    "tensor-parallel-size": "tensor parallelism",
    "pipeline-parallel-size": "pipeline parallelism",
    "data-parallel-size": "data parallelism",
    "data-parallel-size-local": "data parallelism of a pod",
}
_FIRST = {"LWS_WORKER_INDEX": "0"}


def server_facts(role: str, workload: Workload, release: str) -> Read:
    """The facts of a role, from the pod template of its workload and from the workload around that."""
    manifest = workload.manifest
    doc = deepcopy(manifest.doc)
    for key in ("apiVersion", "kind"):
        doc.pop(key, None)
    taken(doc, *map(str, workload.route))
    facts: Facts = {
        Key(role, "workload", "kind"): manifest.kind,
        Key(role, "name", "name"): fact(taken(doc, "metadata", "name")),
    }
    replicas = taken(doc, "spec", "replicas")
    facts[Key(role, "replicas", "replicas")] = fact(1 if replicas is None else replicas)
    facts |= fixed(role, manifest.kind, "", doc)
    pods, template = _pod(role, workload, release), workload.template
    if manifest.kind == GROUPS:
        # Its controller makes the groups anew for any change in here, such as another size.
        template = mapping(at(manifest.doc, "spec", "leaderWorkerTemplate"))
        group = mapping(taken(doc, "spec", "leaderWorkerTemplate"))
        pods[Key(role, "parallelism", "pods of a replica")] = fact(group.pop("size", 1))
        pods |= under(role, "pod", "", group)
    facts |= under(role, "value", "", doc)
    around = {**manifest.doc, "spec": {**mapping(manifest.doc.get("spec")), workload.route[1]: None}}
    return Read(
        facts | pods,
        {
            template_of(role): Part(role, "pod", "", canonical(template), frozenset(pods)),
            f"{role} workload": Part(role, "value", manifest.kind, around, frozenset(facts)),
        },
    )


def fixed(subject: str, kind: str, label: str, doc: dict[str, Any]) -> Facts:
    """What may not change in an object of the kind, taken out of it."""
    routes = {".".join(route): taken(doc, *route) for route in IMMUTABLE.get(kind, ())}
    return {
        Key(subject, "immutable", f"{label} {path}".strip()): compact(value)
        for path, value in routes.items()
        if value is not None
    }


def canonical(value: Any, key: str = "") -> Any:
    """A part of a pod as the API server keeps it: one spelling of each quantity, and no key without a value."""
    if isinstance(value, dict):
        is_resource = key in ("limits", "requests")
        return {
            name: size(name, item) if is_resource or name == "sizeLimit" else canonical(item, name)
            for name, item in value.items()
            if item is not None
        }
    return [canonical(item) for item in value] if isinstance(value, list) else value


def _pod(role: str, workload: Workload, release: str) -> Facts:
    """The pod template: labels, placement, volumes, containers, and whatever else stands in it."""
    template = deepcopy(workload.template)
    facts: Facts = {}
    for name, value in mapping(taken(template, "metadata", "labels")).items():
        if (name, value) != (ROLE_LABEL, role):
            facts[Key(role, "label", f"label {name}")] = fact(value)
    for name, value in mapping(taken(template, "metadata", "annotations")).items():
        facts[Key(role, "pod", f"annotation {name}")] = fact(value)
    spec = mapping(taken(template, "spec"))
    volumes = named(items(taken(spec, "volumes")))
    if workload.vllm is not None:
        facts |= _model(role, workload.vllm, volumes, release)
    facts |= _placement(role, spec) | _volumes(role, volumes)
    spec.pop("containers", None)
    spec.pop("initContainers", None)
    for container in workload.containers:
        if container is workload.vllm:
            facts |= _vllm(role, container, release)
        elif container is workload.sidecar:
            facts |= _sidecar(container)
        else:
            facts |= _container(role, f"{container.name} ", deepcopy(container.doc))
    return facts | under(role, "pod", "", spec) | under(role, "pod", "template", template)


def _placement(role: str, spec: dict[str, Any]) -> Facts:
    facts: Facts = {}
    for label, value in mapping(taken(spec, "nodeSelector")).items():
        facts[Key(role, "placement", f"node selector {label}")] = fact(value)
    for each in items(taken(spec, "tolerations")):
        name, says = toleration(mapping(each))
        facts[Key(role, "placement", name)] = says
    for path, value in leaves(taken(spec, "affinity") or {}):
        short = path.replace("requiredDuringSchedulingIgnoredDuringExecution", "required")
        short = short.replace("preferredDuringSchedulingIgnoredDuringExecution", "preferred")
        if path:
            facts[Key(role, "placement", f"affinity {short}")] = value
    return facts


def _volumes(role: str, volumes: dict[str, Any]) -> Facts:
    facts: Facts = {}
    for name, source in volumes.items():
        if name == "shm" and (limit := at(source, "emptyDir", "sizeLimit")) is not None:
            facts[Key(role, "resource", "/dev/shm")] = size("memory", limit)
            source = {**source, "emptyDir": {**source["emptyDir"], "sizeLimit": None}}
        facts |= {
            Key(role, "volume", f"volume {name} {path}".rstrip()): value
            for path, value in leaves(source)
            if path and value is not None
        }
    return facts


def _model(role: str, vllm: Container, volumes: dict[str, Any], release: str) -> Facts:
    """The model: what it is asked for by, where its weights come from, and the room that each pod has for them. The
    volume of the weights says nothing else, and is taken out of `volumes`."""
    flags = settings(vllm.arguments(_FIRST) or (), release)
    served = (_served_names(flags) or [flags.get("model")])[0]
    given = str(flags.get("model", ""))
    source = mapping(volumes.get(MODEL_VOLUME))
    claim = at(source, "persistentVolumeClaim", "claimName")
    mounts = {str(each.get("name")): str(each.get("mountPath")) for each in vllm.list_of("volumeMounts")}
    facts: Facts = {Key("model", "model", "name"): fact(served)}
    if claim is None:
        uri = f"hf://{given}"
    else:
        below = given.removeprefix(mounts.get(MODEL_VOLUME, "")).lstrip("/")
        uri = f"pvc://{claim}/{below}" if given.startswith("/") else f"pvc+hf://{claim}/{given}"
        taken(source, "persistentVolumeClaim", "claimName")
    facts[Key("model", "model", "uri")] = uri
    if (limit := taken(source, "emptyDir", "sizeLimit")) is not None:
        facts[Key("model", "model", "size")] = size("memory", limit)
    return facts


def _served_names(flags: dict[str, Any]) -> list[Any]:
    names = flags.get("served-model-name")
    return names if isinstance(names, list) else [] if names is None else [names]


def _vllm(role: str, container: Container, release: str) -> Facts:
    """What vLLM of a role is started with. A script is read for its `vllm serve`; its other lines are a fact too."""
    doc = deepcopy(container.doc)
    args = [str(word) for word in items(doc.pop("args", None))]
    facts: Facts = {}
    scripts = [word for word in args if "\n" in word]
    if scripts:
        facts[Key(role, "script", "start script")] = compact([without_serving(word) for word in args])
    flags = settings(container.arguments(_FIRST) or (), release)
    for flag, name in _PARALLELISM.items():
        value = flags.pop(flag, 1 if name == "tensor parallelism" else None)
        if value is not None:
            facts[Key(role, "parallelism", name)] = fact(value)
    ports = named(items(doc.get("ports")))
    if flags.get("port") == mapping(ports.get("vllm")).get("containerPort"):
        flags.pop("port", None)  # the port of the container says it too
    if len(_served_names(flags)) == 1:
        del flags["served-model-name"]  # the model's name
    flags.pop("model", None)  # the model's uri
    return facts | flag_facts(role, flags) | _container(role, "", doc)


def _sidecar(container: Container) -> Facts:
    doc = deepcopy(container.doc)
    facts: Facts = {Key("sidecar", "image", "image"): fact(doc.pop("image", None))}
    for name, value in container.sidecar_flags.items():
        facts[Key("sidecar", "parameter", name)] = value
    for key in ("name", "args"):
        doc.pop(key, None)
    return facts | under("sidecar", "parameter", "", canonical(doc))


def _container(role: str, prefix: str, doc: dict[str, Any]) -> Facts:
    """A container's own settings, taken out of it; `prefix` is its name, "" for vLLM's."""
    doc.pop("name", None)
    facts: Facts = {}
    if "image" in doc:
        facts[Key(role, "image", f"{prefix}image")] = fact(doc.pop("image"))
    for name, source in named(items(taken(doc, "env"))).items():
        facts[Key(role, "env", f"{prefix}env {name}")] = variable(mapping(source))
    facts |= resource_facts(role, prefix, mapping(taken(doc, "resources"))) | probe_facts(role, prefix, doc)
    for name, port in named(items(taken(doc, "ports"))).items():
        facts |= {Key(role, "port", f"{prefix}port {name} {path}".rstrip()): value for path, value in leaves(port)}
    for mount in map(mapping, items(taken(doc, "volumeMounts"))):
        name = str(mount.get("mountPath", compact(mount)))
        facts[Key(role, "volume", f"{prefix}mount {name}")] = compact(
            {key: value for key, value in mount.items() if key != "mountPath"}
        )
    return facts | under(role, "pod", prefix.strip(), doc)
