"""The model servers of a role as facts: what its workload says of its pods, and how these are placed.

Each reader takes what it understands out of a copy; what remains is reported under its path, so nothing is dropped.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from llmdgen.diff.containers import canonical, container_facts, served_names, sidecar_facts, size, vllm_facts
from llmdgen.diff.objects import say_immutable
from llmdgen.diff.state import Facts, Key, Part, leaves, named, taken
from llmdgen.diff.yaml import compact
from llmdgen.kube.workload import ROLE_LABEL, Container, Workload
from llmdgen.untyped import at, items, mapping

GROUPS = "LeaderWorkerSet"
MODEL_VOLUME = "model-storage"


def server_parts(role: str, workload: Workload) -> list[Part]:
    """The pod template of a role, and the workload around that."""
    manifest = workload.manifest
    doc, template = deepcopy(manifest.doc), workload.template
    pods, facts = _pods(role, workload), Facts()
    for key in ("apiVersion", "kind"):
        doc.pop(key, None)
    taken(doc, *map(str, workload.route))
    facts.say(role, "workload", "kind", manifest.kind)
    facts.say(role, "name", "name", taken(doc, "metadata", "name"))
    replicas = taken(doc, "spec", "replicas")
    facts.say(role, "replicas", "replicas", 1 if replicas is None else replicas)
    say_immutable(facts, role, manifest.kind, "", doc)
    if manifest.kind == GROUPS:
        # Its controller makes the groups anew for any change in here, such as another size.
        template = mapping(at(manifest.doc, "spec", "leaderWorkerTemplate"))
        group = mapping(taken(doc, "spec", "leaderWorkerTemplate"))
        pods.say(role, "parallelism", "pods of a replica", group.pop("size", 1))
        pods.under(role, "pod", "", group)
    for path, value in leaves(doc):
        if path:
            facts.say(role, "value", path, value, ".".join(path.split(".")[:2]))
    around = {**manifest.doc, "spec": {**mapping(manifest.doc.get("spec")), workload.route[1]: None}}
    return [
        Part(Key(role, "pod", ""), canonical(template), pods),
        Part(Key(role, "value", manifest.kind), around, facts),
    ]


def _pods(role: str, workload: Workload) -> Facts:
    """The pod template: labels, placement, volumes, containers, and whatever else stands in it."""
    template, facts = deepcopy(workload.template), Facts()
    taken(template, "metadata", "labels", ROLE_LABEL)
    facts.under(role, "label", "label", taken(template, "metadata", "labels"))
    facts.under(role, "pod", "annotation", taken(template, "metadata", "annotations"))
    spec = mapping(taken(template, "spec"))
    volumes = named(items(taken(spec, "volumes")))
    if workload.vllm is not None:
        _say_model(facts, workload.vllm, volumes)
    _say_placement(facts, role, spec)
    _say_volumes(facts, role, volumes)
    spec.pop("containers", None)
    spec.pop("initContainers", None)
    for container in workload.containers:
        if container is workload.vllm:
            facts.add(vllm_facts(role, container))
        elif container is workload.sidecar:
            facts.add(sidecar_facts(container))
        else:
            facts.add(container_facts(role, container.name, container.doc))
    facts.under(role, "pod", "", spec)
    facts.under(role, "pod", "template", template)
    return facts


def _say_placement(facts: Facts, role: str, spec: dict[str, Any]) -> None:
    facts.under(role, "placement", "node selector", taken(spec, "nodeSelector"))
    for each in map(dict, map(mapping, items(taken(spec, "tolerations")))):
        key, effect, operator = (str(each.pop(name, "") or "") for name in ("key", "effect", "operator"))
        given = compact(each.pop("value", ""))
        says = operator if operator == "Exists" else f"= {given}"
        name = " ".join(part for part in ("toleration", key or "of everything", effect) if part)
        facts.say(role, "placement", name, f"{says} {compact(each)}" if each else says)
    for path, value in leaves(taken(spec, "affinity") or {}):
        short = path.replace("DuringSchedulingIgnoredDuringExecution", "")
        if path:
            facts.say(role, "placement", f"affinity {short}", value, f"affinity {short.partition('.')[0]}")


def _say_volumes(facts: Facts, role: str, volumes: dict[str, Any]) -> None:
    for name, source in volumes.items():
        if name == "shm" and (limit := at(source, "emptyDir", "sizeLimit")) is not None:
            facts.say(role, "resource", "/dev/shm", size("memory", limit))
            taken(source, "emptyDir", "sizeLimit")
        facts.under(role, "volume", f"volume {name}", source, f"volume {name}")


def _say_model(facts: Facts, vllm: Container, volumes: dict[str, Any]) -> None:
    """The model: what it is asked for by, where its weights come from, and the room that each pod has for them. The
    volume of the weights says nothing else, and that is taken out of `volumes`."""
    given = str(vllm.flags.get("model", ""))
    source = mapping(volumes.get(MODEL_VOLUME))
    claim = taken(source, "persistentVolumeClaim", "claimName")
    mounts = {str(each.get("name")): str(each.get("mountPath")) for each in vllm.list_of("volumeMounts")}
    uri = f"hf://{given}" if claim is None else f"pvc+hf://{claim}/{given}"
    if claim is not None and given.startswith("/"):
        uri = f"pvc://{claim}/{given.removeprefix(mounts.get(MODEL_VOLUME, '')).lstrip('/')}"
    facts.say("model", "model", "name", (*served_names(vllm), vllm.flags.get("model"))[0])
    facts.say("model", "model", "uri", uri)
    facts.say("model", "model", "size", size("memory", taken(source, "emptyDir", "sizeLimit")))
