"""The local chart as objects: the Gateway with the parameters of its proxy, wherever the provider keeps them, and every
object that no reader knows as facts under its kind and name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from llmdgen.diff.problem import DiffError
from llmdgen.diff.state import Facts, Key, Part, leaves, taken
from llmdgen.diff.yaml import compact, documents, load
from llmdgen.kube.manifest import CLUSTER_SCOPED, Manifest
from llmdgen.objects.chart import FOLDER, as_printed, passed_on
from llmdgen.untyped import at, mapping

# What Kubernetes refuses to change in an object that exists. LeaderWorkerSet: its webhook (v0.7.0, pkg/webhooks).
IMMUTABLE = {
    "Deployment": ("selector",),
    "StatefulSet": ("selector", "serviceName", "volumeClaimTemplates"),
    "Job": ("selector", "template"),
    "LeaderWorkerSet": ("leaderWorkerTemplate.subGroupPolicy",),
    "PersistentVolumeClaim": ("accessModes", "selector", "storageClassName", "volumeMode", "volumeName"),
}
_SUBJECTS = {"HTTPRoute": "route"}
GATEWAY = "Gateway"
BALANCER = "service.beta.kubernetes.io/aws-load-balancer-"
# Where a provider's parameters keep the type of the Service, its annotations, and the proxy itself.
_PARAMETERS = {
    "ConfigMap": (
        "data.service.spec.type",
        "data.service.metadata.annotations",
        "data.deployment.spec.template.spec.containers",
    ),
    "GatewayParameters": ("spec.kube.service.type", "spec.kube.service.extraAnnotations", "spec.kube.envoyContainer"),
    "AgentgatewayParameters": ("spec.service.spec.type", "spec.service.metadata.annotations", "spec"),
}


def is_manifest(path: str, text: str) -> bool:
    """Whether a file of the chart is objects as they stand. Helm would fill in others, and show neither NOTES nor
    helpers."""
    name = path.rpartition("/")[2]
    return (
        path.startswith(f"{FOLDER}/templates/")
        and name.endswith((".yaml", ".yml", ".json"))
        and not name.startswith("_")
        and passed_on(as_printed(text)) == text
    )


def manifests(files: Mapping[str, str], place: str, release: str, namespace: str) -> list[Manifest]:
    """Every object of the chart, whose Helm release and namespace are given. Raises DiffError."""
    found = []
    for path, text in sorted(files.items()):
        if not is_manifest(path, text):
            continue
        for doc in documents(as_printed(text), f"{place}/{path}"):
            kind, name = doc.get("kind"), at(doc, "metadata", "name")
            if not isinstance(kind, str) or not isinstance(name, str):
                says = "a Kubernetes object with a kind and a metadata.name is expected here"
                raise DiffError(f"{place}/{path}:1:1", says, "restore the file, or render it again")
            own = "" if kind in CLUSTER_SCOPED else str(at(doc, "metadata", "namespace") or namespace)
            if own == namespace:  # the release's, whether an object says it or not
                doc = {**doc, "metadata": {key: each for key, each in doc["metadata"].items() if key != "namespace"}}
            found.append(Manifest(release, 2, path, str(doc.get("apiVersion") or ""), kind, name, own, doc))
    return found


def chart_facts(files: Mapping[str, str]) -> Facts:
    """What the chart holds beside its objects, each file as one text."""
    facts = Facts()
    for path, text in files.items():
        if path.startswith(f"{FOLDER}/") and path != f"{FOLDER}/Chart.yaml" and not is_manifest(path, text):
            facts.say("charts", "value", path, text)
    return facts


def object_part(manifest: Manifest, roles: Mapping[str, str]) -> Part:
    """An object under its kind and name; one that is called like the workload of a role, as `roles` has them, is that
    role's."""
    role = roles.get(manifest.name)
    subject = role or _SUBJECTS.get(manifest.kind, "deployment")
    label = manifest.kind if role or subject == "route" else str(manifest).replace("/", " ")
    facts = Facts()
    _say_rest(facts, subject, label, manifest, deepcopy(manifest.doc))
    return Part(Key(subject, "value", label), manifest.doc, facts)


def _say_rest(facts: Facts, subject: str, label: str, manifest: Manifest, doc: dict[str, Any]) -> None:
    """What is left of an object, behind its label: that it is there, what of it may not change, and the rest."""
    facts.say(subject, "object", label, manifest.api_version, label)
    if label.endswith(f" {manifest.name}"):
        mapping(doc.get("metadata")).pop("name", None)
    named = ("apiVersion", "kind") if doc.get("metadata") else ("apiVersion", "kind", "metadata")
    rest = {key: value for key, value in doc.items() if key not in named}
    say_immutable(facts, subject, manifest.kind, label, rest)
    facts.under(subject, "value", label, rest, label)


def say_immutable(facts: Facts, subject: str, kind: str, label: str, doc: dict[str, Any]) -> None:
    """What may not change in an object of the kind, taken out of it."""
    for field in IMMUTABLE.get(kind, ()):
        value = taken(doc, "spec", *field.split("."))
        facts.say(
            subject, "immutable", f"{label} spec.{field}".strip(), None if value is None else compact(value), label
        )


def parameters_of(gateway: Manifest, manifests: Iterable[Manifest]) -> Manifest | None:
    """The object that a Gateway takes its parameters from, None where the chart has none."""
    wanted = mapping(at(gateway.doc, "spec", "infrastructure", "parametersRef"))
    named = (wanted.get("kind"), wanted.get("name"))
    return next((each for each in manifests if (each.kind, each.name) == named), None)


def gateway_part(manifest: Manifest) -> Part:
    """The Gateway: its class, the annotations of its Service, and whatever else it says."""
    doc, facts = deepcopy(manifest.doc), Facts()
    facts.say("gateway", "provider", "class", taken(doc, "spec", "gatewayClassName"))
    _say_annotations(facts, taken(doc, "metadata", "annotations"))
    _say_rest(facts, "gateway", GATEWAY, manifest, doc)
    return Part(Key("gateway", "value", GATEWAY), manifest.doc, facts)


def parameters_part(manifest: Manifest) -> Part:
    """Its parameters: the type of the Service, more annotations, the proxy, and whatever else they say."""
    doc, facts = _opened(deepcopy(manifest.doc)), Facts()
    if manifest.kind in _PARAMETERS:
        service, annotations, proxy = (taken(doc, *route.split(".")) for route in _PARAMETERS[manifest.kind])
        facts.say("gateway", "service", "Service type", service)
        _say_annotations(facts, annotations)
        for path, value in leaves(proxy or {}):
            if path:
                facts.say("gateway", "parameter", f"proxy {path.removeprefix('[0].')}", value)
    _say_rest(facts, "gateway", "parameters", manifest, doc)
    return Part(Key("gateway", "value", manifest.kind), manifest.doc, facts)


def _say_annotations(facts: Facts, given: Any) -> None:
    for name, value in mapping(given).items():
        short = f"load balancer {name.removeprefix(BALANCER)}" if name.startswith(BALANCER) else f"annotation {name}"
        facts.say("gateway", "annotation", short, value)


def _opened(doc: dict[str, Any]) -> dict[str, Any]:
    """A ConfigMap with the texts that are YAML mappings read: their meaning is compared, and not their spelling."""
    for key, text in mapping(doc.get("data")).items():
        try:
            doc["data"][key] = (isinstance(text, str) and deepcopy(load(text, key))) or text
        except DiffError:
            continue
    return doc
