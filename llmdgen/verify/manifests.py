"""The objects that helm gives: parsed, told apart, and written one a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from llmdgen.findings import Finding
from llmdgen.kube.workload import CLUSTER_SCOPED, Manifest
from llmdgen.plain_yaml import YAMLError, load, reason
from llmdgen.registry import declare
from llmdgen.verify.helmfile import ReleaseOutput
from llmdgen.yaml_text import dump

UNREADABLE = declare("""VER002 error: a manifest that is not a Kubernetes object
    Every document that helm prints must be one YAML mapping with apiVersion, kind and metadata.name, without a key
    that stands twice. helm itself passes on whatever a template prints, and kubectl keeps the last of two equal keys.

    Fails:  `name:` twice in one mapping of chart/templates/decode.yaml; a document without kind.
    Passes: every object parsed, every key once.
""")
DUPLICATE = declare("""VER003 error: two objects have one name
    The cluster holds one object of a kind, namespace and name: of two, the later overwrites the earlier, and helm
    refuses to install a release that would take over an object of another one.

    Fails:  an HTTPRoute both in chart/templates and from the router's chart, under the same name.
    Passes: every object once.
""")

FOLDER = "manifests"
_SEPARATOR = re.compile(r"^---[ \t]*(?:#.*)?$", re.MULTILINE)
_SOURCE = re.compile(r"^# Source: (\S+)", re.MULTILINE)
_NOT_IN_FILE_NAMES = re.compile(r"[^a-z0-9.]+")


def read(outputs: Iterable[ReleaseOutput]) -> tuple[tuple[Manifest, ...], list[Finding]]:
    """Every object of every release, in the order of the releases, and what could not be read or stands twice."""
    manifests: dict[tuple[str, str, str, str], Manifest] = {}
    problems: list[Finding] = []
    for order, output in enumerate(outputs, 1):
        for text in output.texts:
            for document in _SEPARATOR.split(text):
                found = _manifest(document, output, order)
                if isinstance(found, Finding):
                    problems.append(found)
                elif found is not None:
                    key = (found.group, found.kind, found.namespace, found.name)
                    first = manifests.setdefault(key, found)
                    if first is not found:
                        where = first.source if first.release == found.release else f"release {first.release}"
                        says = f"{found.source} makes an object that {where} makes too"
                        fix = "remove one, or name it otherwise"
                        problems.append(DUPLICATE.at("metadata", "name", says=says, fix=fix, of=found))
    return tuple(manifests.values()), problems


def write_manifests(manifests: Sequence[Manifest]) -> dict[str, str]:
    """The objects as files, by the names that `manifest_names` gives them."""
    return {name: dump(manifest.doc) for name, manifest in manifest_names(manifests).items()}


def manifest_names(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """The objects by their files' names, `manifests/<release's place>-<kind>-<name>.yaml`: `kubectl apply -f
    manifests/` takes the releases in their order. A name that another namespace or group has too is numbered."""
    files: dict[str, Manifest] = {}
    for manifest in sorted(manifests, key=lambda each: (each.order, each.kind, each.name, each.namespace, each.group)):
        stem = f"{FOLDER}/{manifest.order}-{_NOT_IN_FILE_NAMES.sub('-', f'{manifest.kind}-{manifest.name}'.lower())}"
        name, number = f"{stem}.yaml", 1
        while name in files:
            number += 1
            name = f"{stem}-{number}.yaml"
        files[name] = manifest
    return files


def _manifest(document: str, output: ReleaseOutput, order: int) -> Manifest | Finding | None:
    release = output.release
    match = _SOURCE.search(document)
    source = match.group(1) if match else release.name
    try:
        doc = load(document)
    except YAMLError as error:
        fix = "remove the key that stands twice, or quote the text that breaks the YAML"
        return UNREADABLE.at(says=reason(error), fix=fix, of=source)
    if doc is None:
        return None
    metadata = doc.get("metadata") if isinstance(doc, dict) else None
    if not isinstance(metadata, dict) or not all(
        isinstance(each, str) and each for each in (doc.get("apiVersion"), doc.get("kind"), metadata.get("name"))
    ):
        says = "has no apiVersion, kind or metadata.name"
        return UNREADABLE.at(says=says, fix="give the object all three", of=source)
    namespace = "" if doc["kind"] in CLUSTER_SCOPED else metadata.get("namespace") or release.namespace
    return Manifest(release.name, order, source, doc["apiVersion"], doc["kind"], metadata["name"], namespace, doc)
