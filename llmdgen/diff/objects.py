"""The local chart as objects: the Gateway with the parameters of its proxy, wherever the provider keeps them, and every
object that no reader knows as facts under its kind and name."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from llmdgen.diff.state import Facts, Key, Part, leaves, taken
from llmdgen.diff.yaml import DiffError, compact, documents, plain
from llmdgen.facts.catalogue import table
from llmdgen.kube.gateway import opened, places
from llmdgen.kube.workload import CLUSTER_SCOPED, Manifest
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


def manifests(files: Mapping[str, str], place: str, namespace: str) -> list[Manifest]:
    """Every object of the chart, whose namespace is given. Raises DiffError."""
    found = []
    for path, text in sorted(files.items()):
        if not is_manifest(path, text):
            continue
        for doc in documents(as_printed(text), f"{place}/{path}"):
            kind, name = doc.get("kind"), at(doc, "metadata", "name")
            if not isinstance(kind, str) or not isinstance(name, str):
                says = "a Kubernetes object with a kind and a metadata.name is expected here"
                raise DiffError(f"{place}/{path}:1:1", says, "restore the file, or render it again")
            given = at(doc, "metadata", "namespace")
            own = "" if kind in CLUSTER_SCOPED else namespace if given is None else str(given)
            if own == namespace:  # the release's, whether an object says it or not
                doc = {**doc, "metadata": {key: each for key, each in doc["metadata"].items() if key != "namespace"}}
            found.append(Manifest("", 2, path, str(doc.get("apiVersion") or ""), kind, name, own, doc))
    return found


def object_part(manifest: Manifest, subject: str, label: str) -> Part:
    """An object behind a label: what is known of a Gateway, that it is there, what of it may not change, the rest."""
    doc, facts = plain(manifest.doc), Facts()
    if subject == "gateway":
        with suppress(ValueError):  # a text that multiplies once it is read stays a text
            doc = plain(opened(doc))
        _say_known(facts, manifest.kind, doc)
    facts.say(subject, "object", label, manifest.api_version, label)
    if label.endswith(f" {manifest.name}"):
        mapping(doc.get("metadata")).pop("name", None)
    named = ("apiVersion", "kind") if doc.get("metadata") else ("apiVersion", "kind", "metadata")
    rest = {key: value for key, value in doc.items() if key not in named}
    say_immutable(facts, subject, manifest.kind, label, rest)
    facts.under(subject, "value", label, rest, label)
    return Part(Key(subject, "value", label), manifest.doc, facts)


def _say_known(facts: Facts, kind: str, doc: dict[str, Any]) -> None:
    """What has a name of its own, taken out of an object."""
    known: list[tuple[tuple[str, ...], str, str]] = []
    if kind == "Gateway":
        known = [
            (("spec", "gatewayClassName"), "provider", "class"),
            (("metadata", "annotations"), "annotation", "annotation"),
        ]
    elif there := places(kind):
        known = [
            ((*there["service"], "type"), "service", "Service type"),
            (there["annotations"], "annotation", "annotation"),
            (there["proxy"], "parameter", "proxy"),
        ]
    balancer = f"annotation {table('nlb.toml')['prefix']}aws-load-balancer-"
    for route, topic, name in known:
        for path, value in leaves(taken(doc, *route) or None):
            called = f"{name} {path}".strip().replace(balancer, "load balancer ").replace("proxy [0].", "proxy ")
            facts.say("gateway", topic, called, value)


def say_immutable(facts: Facts, subject: str, kind: str, label: str, doc: dict[str, Any]) -> None:
    """What may not change in an object of the kind, taken out of it."""
    for field in IMMUTABLE.get(kind, ()):
        value = taken(doc, "spec", *field.split("."))
        facts.say(
            subject, "immutable", f"{label} spec.{field}".strip(), None if value is None else compact(value), label
        )
