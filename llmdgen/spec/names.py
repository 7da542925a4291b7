"""Names, paths and texts in a spec that the types cannot judge: do they exist, do they fit, can their reader take them?

These rules look at plain data, so that they still speak where another part of the document does not fit its type; what
is of the wrong type is left to `llmdgen.spec.shape`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from llmdgen.facts import catalogue
from llmdgen.findings import Finding, Route, dotted
from llmdgen.spec import texts
from llmdgen.spec.fields import ROLES
from llmdgen.spec.model import DEFAULT_RELEASE
from llmdgen.spec.places import error, quoted
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import at, items, mapping

LONGEST_NAME = 40 - len("-router")  # the router charts cut longer names of their release

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
_VALUES: Route = ("spec", "values")
_RETIRED = ("infra", "gaie", "ms")  # charts that are no longer used
_POD_CODES = {"unknown": "SPEC005", "type": "SPEC007", "twice": "SPEC014"}


def misnamed(data: dict[str, Any]) -> Iterator[Finding]:
    """Every finding about the names and texts of a document."""
    yield from texts.broken_lines(data)
    for route, rule in _TEXTS.items():
        text = at(data, *route)
        if isinstance(text, str):
            yield from rule(text, route)
    spec = mapping(data.get("spec"))
    for of_a_spec in (_paths, _provider, _instance_types, _without_uri, texts.misread):
        yield from of_a_spec(spec)
    for role in ROLES:
        if pod := mapping(mapping(spec.get(role)).get("pod")):
            yield from _pod(pod, role)
    values = mapping(spec.get("values"))
    for chart in _RETIRED:
        if chart in values:
            yield from _moved(values[chart], (), chart, catalogue.table("retired-values.toml")[chart])


def _name(name: str, route: Route) -> Iterator[Finding]:
    if len(name) > LONGEST_NAME:
        says = f"name has {len(name)} characters, {LONGEST_NAME} are allowed: the router's chart cuts the name"
        says += " of its release, <name>-router, after 40"
        yield error("SPEC011", says, f"shorten it by {len(name) - LONGEST_NAME}", route)


def _paths(spec: dict[str, Any]) -> Iterator[Finding]:
    path = spec.get("path")
    named: list[tuple[Any, Route]] = [(path, ("spec", "path"))]
    named += [(each, ("spec", "with", index)) for index, each in enumerate(items(spec.get("with")))]
    seen: set[str] = set()
    known = catalogue.path_names()
    for name, route in named:
        if not isinstance(name, str):
            continue
        if name not in known:
            yield error("SPEC009", f"there is no well-lit path {quoted(name)}", did_you_mean(name, known), route)
        elif name in seen:
            fix = f"delete it{', spec.path has it already' if name == path else ''}"
            yield error("SPEC014", f"{name} stands here twice", fix, route)
        seen.add(name)


def _release(name: str, route: Route) -> Iterator[Finding]:
    known = catalogue.release_names()
    if name not in known:
        fix = did_you_mean(name, known) or f"use {one_of(known)}"
        yield error("SPEC009", f"release {quoted(name)} is not known", fix, route)


def _provider(spec: dict[str, Any]) -> Iterator[Finding]:
    """A gateway provider that the release has nothing for; one that no release knows is left to the types."""
    release, name = spec.get("release", DEFAULT_RELEASE), at(spec, "gateway", "provider")
    if release not in catalogue.release_names() or not isinstance(name, str):
        return
    known = _providers(release)
    if name not in known and any(name in _providers(each) for each in catalogue.release_names()):
        says = f"llm-d {release} is not deployed with the gateway provider {quoted(name)}"
        yield error("SPEC009", says, f"use {one_of(known)}", ("spec", "gateway", "provider"))


def _providers(release: str) -> list[str]:
    return [key for key, value in catalogue.release_toml(release, "gateways.toml").items() if "class" in value]


def _instance_types(spec: dict[str, Any]) -> Iterator[Finding]:
    listed = items(spec.get("instanceTypes"))
    first: dict[str, str] = {}
    for index, name in enumerate(listed):
        if not isinstance(name, str):
            continue
        route = ("spec", "instanceTypes", index)
        yield from _instance_type(name, route)
        plain = name.removeprefix(catalogue.HYPERPOD_PREFIX)
        other = first.setdefault(plain, name)
        if listed.index(other) != index:
            says = f"{quoted(name)} stands here twice" if name == other else f"{quoted(name)} is {quoted(other)} again"
            yield error("SPEC014", says, "delete one of them", route)


def _instance_type(name: str, route: Route) -> Iterator[Finding]:
    try:
        catalogue.instance(name)
    except catalogue.UnknownFact as unknown:
        prefix = catalogue.HYPERPOD_PREFIX if name.startswith(catalogue.HYPERPOD_PREFIX) else ""
        fix = did_you_mean(name, [f"{prefix}{each}" for each in unknown.known], listed_up_to=0)
        says = f"instance type {quoted(name)} is not known"
        yield error("SPEC009", says, fix or "`llmdgen list instances` shows those that are", route)


def _model_name(name: str, route: Route) -> Iterator[Finding]:
    if name != name.strip() or name.startswith("-"):
        fix = f"write {quoted(name.strip().lstrip('-').strip(), bare=True)}"
        yield error("SPEC008", f"{quoted(name)} starts or ends with what no model's name has", fix, route)


def _weights(uri: str, route: Route) -> Iterator[Finding]:
    """spec.model.uri, from which a model server reads its weights."""
    scheme, separator, rest = uri.partition("://")
    hub = re.fullmatch(_HUB, uri)
    if hub:
        yield error("SPEC012", f"{quoted(uri)} is a web page, not a model URI", f"write hf://{hub[1]}", route)
    elif scheme == "oci" and separator:
        says = "a model server cannot read its weights from oci://"
        yield error("SPEC012", says, f"use {FORMS}", route)
    elif scheme in _FORMS and separator:
        pattern, form = _FORMS[scheme]
        if not re.fullmatch(pattern, rest):
            segments = "/".join(segment.strip() for segment in rest.split("/") if segment.strip())
            fix = f"write {f'{scheme}://{segments}' if re.fullmatch(pattern, segments) else form}"
            yield error("SPEC012", f"{quoted(uri)} is not of the form {form}", fix, route)
    elif re.fullmatch(_REPOSITORY, uri):
        yield error("SPEC012", f"{quoted(uri)} has no scheme", f"write hf://{uri}", route)
    elif scheme in ("s3", "fsx", "efs", "file") or uri.startswith("/"):
        says = f"{quoted(uri)} is not a place that a model server reads its weights from"
        yield error("SPEC012", says, "put the weights on a PersistentVolumeClaim and write pvc://claim/path", route)
    else:
        yield error("SPEC012", f"{quoted(uri)} is not a model URI", f"use {FORMS}", route)


def _without_uri(spec: dict[str, Any]) -> Iterator[Finding]:
    """spec.model.name, which says where the weights come from where spec.model.uri does not."""
    model = mapping(spec.get("model"))
    name = model.get("name")
    if "uri" not in model and isinstance(name, str) and name and not re.fullmatch(_REPOSITORY, name):
        says = f"without a uri the weights come from hf://<name>, and {quoted(name)} is not an org/name of Hugging Face"
        yield error("SPEC012", says, "set spec.model.uri", ("spec", "model", "name"))


def _config(path: str, route: Route) -> Iterator[Finding]:
    """spec.model.config, which stays below the spec's directory."""
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:|[A-Za-z]+://", path) or "\\" in path:
        says = f"{quoted(path)} is not a path relative to the spec"
        yield error("SPEC013", says, "put the file beside the spec and write ./config.json", route)
    elif ".." in path.split("/"):
        says = f"{quoted(path)} leaves the spec's directory"
        yield error("SPEC013", says, "put the file beside the spec, or below it", route)
    elif path.strip("./") == "" or path.endswith("/"):
        yield error("SPEC013", f"{quoted(path)} names no file", "write ./config.json", route)


def _host_path(path: str, route: Route) -> Iterator[Finding]:
    """spec.cache.disk.path, a directory of the node."""
    if ".." in path.split("/"):
        says = f"{quoted(path)} holds .., which Kubernetes refuses in a hostPath"
        yield error("SPEC013", says, "write the directory without ..", route)


def _pod(pod: dict[str, Any], role: str) -> Iterator[Finding]:
    """Whether Kubernetes knows what `pod` of a role says; what it does to a pod is judged on the objects."""
    from llmdgen.kube.merge import BadPatch, merge
    from llmdgen.kube.typed import POD, TYPE
    from llmdgen.kube.typed import misfits as of_kind

    at = ("spec", role, "pod")
    fits = True
    for each in of_kind(pod, POD):
        fits = False
        says = f"{dotted(each.route)} {each.says}" if each.what == TYPE else each.says
        yield error(_POD_CODES[each.what], says, each.fix, (*at, *each.route), each.what == "unknown")
    if fits:
        try:
            merge({}, pod)
        except BadPatch as bad:
            yield error("SPEC008", str(bad), bad.fix, (*at, *bad.route))


def is_retired(route: Route) -> bool:
    """Whether a route is that of such a chart, whose values findings here are about."""
    return route[:-1] == _VALUES and route[-1] in _RETIRED


def _moved(value: Any, route: Route, chart: str, places: dict[str, str]) -> Iterator[Finding]:
    """A finding for each key that went somewhere else, at the outermost place of which the facts say where."""
    every = {path: path.replace("[]", ".[]").split(".") for path in places if path != "otherwise"}
    paths = {path: parts for path, parts in every.items() if len(route) <= len(parts) and all(map(_is, parts, route))}
    if value and any(len(parts) > len(route) for parts in paths.values()) and isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _moved(each, (*route, key), chart, places)
        return
    fix = next((places[path] for path, parts in paths.items() if len(parts) == len(route)), places["otherwise"])
    at: Route = (*_VALUES, chart, *route)
    says = f"nothing reads {quoted(dotted(at), bare=True)}: of spec.values only router is left"
    yield error("SPEC029", says, fix.format(role=(*route, "")[0], key=at[-1]), at, on_key=True)


def _is(part: str, key: str | int) -> bool:
    return part == ("[]" if isinstance(key, int) else key) or part == "*" or (part == "{role}" and key in ROLES)


_TEXTS: dict[Route, Callable[[str, Route], Iterator[Finding]]] = {
    ("metadata", "name"): _name,
    ("spec", "release"): _release,
    ("spec", "model", "name"): _model_name,
    ("spec", "model", "uri"): _weights,
    ("spec", "model", "config"): _config,
    ("spec", "cache", "disk", "path"): _host_path,
    ("spec", "cluster", "zone"): texts.availability_zone,
    ("spec", "cluster", "nodeSelector", texts.ZONE_LABEL): texts.availability_zone,
    **{("spec", role, "instanceType"): _instance_type for role in ROLES},
}
"""The rules of texts that stand at one place."""
