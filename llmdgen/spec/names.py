"""Names and texts in a spec that the types cannot judge: do they exist, do they fit, can their reader take them?

These checks look at plain data, so that they still speak where another part of the document does not fit its type.
Each takes the document's `spec` and yields findings; what is of the wrong type is left to `llmdgen.spec.shape`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.facts import catalogue
from llmdgen.findings import Finding, Route, Severity
from llmdgen.spec import pod
from llmdgen.spec.model import DEFAULT_RELEASE
from llmdgen.spec.retired import retired_values
from llmdgen.spec.texts import broken_lines, misread
from llmdgen.spec.uri import misplaced
from llmdgen.spec.words import quoted
from llmdgen.suggest import did_you_mean, one_of

ROLES = ("prefill", "decode")

LONGEST_NAME = 40 - len("-router")  # the router charts cut longer names of their release

LONGEST_INSTANCE_TYPE = 64


def misnamed(data: dict[str, Any]) -> Iterator[Finding]:
    """Every finding about the names and texts of a document."""
    yield from _name(get(data, "metadata", "name"))
    yield from broken_lines(data)
    spec = data.get("spec")
    if isinstance(spec, dict):
        checks = (_paths, _release, _provider, _instance_types, _model_name, misplaced, misread)
        for check in (*checks, pod.misfits, retired_values):
            yield from check(spec)


def get(data: Any, *route: str) -> Any:
    """The value at a route of mappings, None where there is none."""
    for key in route:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def error(code: str, says: str, fix: str, *at: str | int, on_key: bool = False) -> Finding:
    return Finding(code, Severity.ERROR, says, fix, at, on_key)


def _name(name: Any) -> Iterator[Finding]:
    if isinstance(name, str) and len(name) > LONGEST_NAME:
        yield error(
            "SPEC011",
            f"name has {len(name)} characters, {LONGEST_NAME} are allowed: the router's chart cuts the name"
            " of its release, <name>-router, after 40",
            f"shorten it by {len(name) - LONGEST_NAME}",
            "metadata",
            "name",
        )


def _paths(spec: dict[str, Any]) -> Iterator[Finding]:
    path, more = spec.get("path"), spec.get("with")
    named: list[tuple[Any, Route]] = [(path, ("path",))]
    named += [(each, ("with", index)) for index, each in enumerate(more if isinstance(more, list) else ())]
    seen: set[str] = set()
    known = catalogue.path_names()
    for name, at in named:
        if not isinstance(name, str):
            continue
        if name not in known:
            says = f"there is no well-lit path {quoted(name)}"
            yield error("SPEC009", says, did_you_mean(name, known), "spec", *at)
        elif name in seen:
            fix = f"delete it{', spec.path has it already' if name == path else ''}"
            yield error("SPEC014", f"{name} stands here twice", fix, "spec", *at)
        seen.add(name)


def _release(spec: dict[str, Any]) -> Iterator[Finding]:
    name = spec.get("release")
    if isinstance(name, str) and name not in catalogue.release_names():
        known = catalogue.release_names()
        fix = did_you_mean(name, known) or f"use {one_of(known)}"
        yield error("SPEC009", f"release {quoted(name)} is not known", fix, "spec", "release")


def _provider(spec: dict[str, Any]) -> Iterator[Finding]:
    """A gateway provider that the release has nothing for; one that no release knows is left to the types."""
    release, name = spec.get("release", DEFAULT_RELEASE), get(spec, "gateway", "provider")
    if release not in catalogue.release_names() or not isinstance(name, str):
        return
    known = _providers(release)
    if name not in known and any(name in _providers(each) for each in catalogue.release_names()):
        says = f"llm-d {release} is not deployed with the gateway provider {quoted(name)}"
        yield error("SPEC009", says, f"use {one_of(known)}", "spec", "gateway", "provider")


def _providers(release: str) -> list[str]:
    return [key for key, value in catalogue.release_toml(release, "gateways.toml").items() if "class" in value]


def _instance_types(spec: dict[str, Any]) -> Iterator[Finding]:
    listed = spec.get("instanceTypes")
    listed = listed if isinstance(listed, list) else []
    first: dict[str, int] = {}
    for index, name in enumerate(listed):
        if not isinstance(name, str):
            continue
        yield from _instance_type(name, "spec", "instanceTypes", index)
        plain = name.removeprefix(catalogue.HYPERPOD_PREFIX)
        if plain in first:
            other = str(listed[first[plain]])
            says = f"{quoted(name)} stands here twice" if name == other else f"{quoted(name)} is {quoted(other)} again"
            yield error("SPEC014", says, "delete one of them", "spec", "instanceTypes", index)
        first.setdefault(plain, index)
    for role in ROLES:
        name = get(spec, role, "instanceType")
        if isinstance(name, str):
            yield from _instance_type(name, "spec", role, "instanceType")


def _instance_type(name: str, *at: str | int) -> Iterator[Finding]:
    if not _is_known(name):
        prefix = catalogue.HYPERPOD_PREFIX if name.startswith(catalogue.HYPERPOD_PREFIX) else ""
        known = [f"{prefix}{each}" for each in catalogue.instance_names()]
        fix = did_you_mean(name, known, listed_up_to=0) or "`llmdgen list instances` shows those that are"
        yield error("SPEC009", f"instance type {quoted(name)} is not known", fix, *at)


def _is_known(instance_type: str) -> bool:
    """The catalogue opens a file by the name, so what is too long for a file's name is not asked for."""
    try:
        return len(instance_type) <= LONGEST_INSTANCE_TYPE and bool(catalogue.instance(instance_type))
    except catalogue.UnknownFact:
        return False


def _model_name(spec: dict[str, Any]) -> Iterator[Finding]:
    name = get(spec, "model", "name")
    if not isinstance(name, str):
        return
    if name != name.strip() or name.startswith("-"):
        proposal = name.strip().lstrip("-").strip()
        fix = f"write {quoted(proposal, bare=True)}"
        says = f"{quoted(name)} starts or ends with what no model's name has"
        yield error("SPEC008", says, fix, "spec", "model", "name")
