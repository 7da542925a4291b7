"""Where a spec points to: the model's weights, its config.json, a directory of the node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.findings import Finding, Route
from llmdgen.spec.places import error, quoted
from llmdgen.untyped import mapping

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+"
_REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
_CLAIM = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_FORMS = {
    "hf": (_REPOSITORY, "hf://org/name"),
    "pvc": (rf"{_CLAIM}(?:/{_SEGMENT})+", "pvc://claim/path"),
    "pvc+hf": (rf"{_CLAIM}(?:/{_SEGMENT})+/{_REPOSITORY}", "pvc+hf://claim/path/org/name"),
}
FORMS = "hf://org/name, pvc://claim/path or pvc+hf://claim/path/org/name"
_HUB = rf"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/({_REPOSITORY})(?:/.*)?"


def weights(uri: str, at: Route) -> Iterator[Finding]:
    """spec.model.uri, from which a model server reads its weights."""
    scheme, separator, rest = uri.partition("://")
    hub = re.fullmatch(_HUB, uri)
    if hub:
        yield error("SPEC012", f"{quoted(uri)} is a web page, not a model URI", f"write hf://{hub[1]}", at)
    elif scheme == "oci" and separator:
        says = "a model server cannot read its weights from oci://"
        yield error("SPEC012", says, f"use {FORMS}", at)
    elif scheme in _FORMS and separator:
        pattern, form = _FORMS[scheme]
        if not re.fullmatch(pattern, rest):
            segments = "/".join(segment.strip() for segment in rest.split("/") if segment.strip())
            fix = f"write {f'{scheme}://{segments}' if re.fullmatch(pattern, segments) else form}"
            yield error("SPEC012", f"{quoted(uri)} is not of the form {form}", fix, at)
    elif re.fullmatch(_REPOSITORY, uri):
        yield error("SPEC012", f"{quoted(uri)} has no scheme", f"write hf://{uri}", at)
    elif scheme in ("s3", "fsx", "efs", "file") or uri.startswith("/"):
        says = f"{quoted(uri)} is not a place that a model server reads its weights from"
        yield error("SPEC012", says, "put the weights on a PersistentVolumeClaim and write pvc://claim/path", at)
    else:
        yield error("SPEC012", f"{quoted(uri)} is not a model URI", f"use {FORMS}", at)


def without_uri(spec: dict[str, Any]) -> Iterator[Finding]:
    """spec.model.name, which says where the weights come from where spec.model.uri does not."""
    model = mapping(spec.get("model"))
    name = model.get("name")
    if "uri" not in model and isinstance(name, str) and name and not re.fullmatch(_REPOSITORY, name):
        says = f"without a uri the weights come from hf://<name>, and {quoted(name)} is not an org/name of Hugging Face"
        yield error("SPEC012", says, "set spec.model.uri", ("spec", "model", "name"))


def config(path: str, at: Route) -> Iterator[Finding]:
    """spec.model.config, which stays below the spec's directory."""
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:|[A-Za-z]+://", path) or "\\" in path:
        says = f"{quoted(path)} is not a path relative to the spec"
        yield error("SPEC013", says, "put the file beside the spec and write ./config.json", at)
    elif ".." in path.split("/"):
        says = f"{quoted(path)} leaves the spec's directory"
        yield error("SPEC013", says, "put the file beside the spec, or below it", at)
    elif path.strip("./") == "" or path.endswith("/"):
        yield error("SPEC013", f"{quoted(path)} names no file", "write ./config.json", at)


def host_path(path: str, at: Route) -> Iterator[Finding]:
    """spec.cache.disk.path, a directory of the node."""
    if ".." in path.split("/"):
        says = f"{quoted(path)} holds .., which Kubernetes refuses in a hostPath"
        yield error("SPEC013", says, "write the directory without ..", at)
