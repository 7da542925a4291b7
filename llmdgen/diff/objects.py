"""The local chart as objects, and an object that no reader knows as facts under its kind and name."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from llmdgen.diff.problem import DiffError
from llmdgen.diff.servers import fixed
from llmdgen.diff.state import Facts, Key, Part, Read, under
from llmdgen.diff.yaml import documents
from llmdgen.kube.manifest import CLUSTER_SCOPED, Manifest
from llmdgen.objects.chart import FOLDER, as_printed, passed_on
from llmdgen.untyped import at, mapping

TEMPLATES = f"{FOLDER}/templates/"
_SUBJECTS = {"HTTPRoute": "route"}
_TEXTS = (".yaml", ".yml", ".json")


def is_manifest(path: str, text: str) -> bool:
    """Whether a file of the chart is objects as they stand. Helm would fill in others, and show neither NOTES nor
    helpers."""
    name = path.rpartition("/")[2]
    return (
        path.startswith(TEMPLATES)
        and name.endswith(_TEXTS)
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
            if own == namespace:
                doc["metadata"].pop("namespace", None)  # the release's, whether an object says it or not
            version = str(doc.get("apiVersion") or "")
            found.append(Manifest(release, 2, path, version, kind, name, own, doc))
    return found


def chart_facts(files: Mapping[str, str]) -> Facts:
    """What the chart holds beside its objects, each file as one text."""
    return {
        Key("charts", "value", path): text
        for path, text in files.items()
        if path.startswith(f"{FOLDER}/") and path != f"{FOLDER}/Chart.yaml" and not is_manifest(path, text)
    }


def object_facts(manifest: Manifest, roles: Mapping[str, str]) -> Read:
    """An object under its kind and name; one that is called like the workload of a role, as `roles` has them, is that
    role's."""
    role = roles.get(manifest.name)
    subject = role or _SUBJECTS.get(manifest.kind, "deployment")
    label = manifest.kind if role or subject == "route" else f"{manifest.kind} {manifest.name}"
    facts = identified(subject, label, manifest, deepcopy(manifest.doc))
    return Read(facts, {f"{subject} {label}": part_of(subject, label, manifest, facts)})


def identified(subject: str, label: str, manifest: Manifest, doc: dict[str, Any]) -> Facts:
    """What is left of an object, behind its label: that it is there, what of it may not change, and the rest."""
    facts: Facts = {Key(subject, "object", label): manifest.api_version}
    metadata = mapping(doc.get("metadata"))
    if label.endswith(f" {manifest.name}"):
        metadata.pop("name", None)
    named = ("apiVersion", "kind") if metadata else ("apiVersion", "kind", "metadata")
    rest = {key: value for key, value in doc.items() if key not in named}
    return facts | fixed(subject, manifest.kind, label, rest) | under(subject, "value", label, rest)


def part_of(subject: str, label: str, manifest: Manifest, facts: Facts) -> Part:
    """The whole of an object, and the facts that were read from it."""
    return Part(subject, "value", label, manifest.doc, frozenset(facts))
