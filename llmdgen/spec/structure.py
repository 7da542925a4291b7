"""From plain data to the types of the spec, with everything that does not fit said at once."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec

from llmdgen.findings import Finding
from llmdgen.spec.document import MOST_FINDINGS, Parsed
from llmdgen.spec.model import API_VERSION, KIND, Document, Spec
from llmdgen.spec.names import misnamed
from llmdgen.spec.places import described, error, quoted

MAY_BE_A_BASE = "; a base is not loaded itself, but the specs that extend it"
TOP_KEYS = ("apiVersion", "kind", "extends", "metadata", "spec")
_FREE = ("args", "pod", "values")
_GROUP = API_VERSION.partition("/")[0]


def build(parsed: Parsed) -> tuple[Spec | None, list[Finding]]:
    """The typed document, None where there are findings, and the findings in the order in which they were met."""
    stranger = foreign(parsed.data)
    if stranger:
        return None, [stranger]
    try:
        typed = msgspec.convert(parsed.data, Document)
    except msgspec.ValidationError:
        typed = None
    findings = list(islice(misnamed(parsed.data), MOST_FINDINGS))
    if typed is None or _has_null(parsed.data):
        from llmdgen.spec.shape import misfits

        findings.extend(islice(misfits(parsed.data), MOST_FINDINGS))
    if typed is None and not findings and not parsed.damaged:
        findings.append(error("SPEC007", "the document does not have the form of a spec", ""))
    findings = _without_consequences(findings, parsed)
    if typed is None or findings:
        return None, findings
    return Spec(parsed.path, parsed.index, typed.metadata, typed.spec, parsed.places, parsed.data), []


def foreign(data: Any) -> Finding | None:
    """A finding where the document is not a spec of ours at all, so that nothing else about it is worth saying."""
    if not isinstance(data, dict):
        says = f"a spec is a mapping, this document is {described(data)}"
        return error("SPEC007", says, f"start with apiVersion: {API_VERSION}")
    if not any(key in data for key in TOP_KEYS):
        says = f"this document has no key of a {KIND}: {', '.join(TOP_KEYS)}"
        return error("SPEC020", says, f"start with apiVersion: {API_VERSION} and kind: {KIND}")
    version, kind = data.get("apiVersion"), data.get("kind")
    if isinstance(version, str) and version != API_VERSION:
        if version.partition("/")[0] == _GROUP:
            says = f"version {quoted(version.partition('/')[2])} of the format is not known"
            return error("SPEC020", says, f"write {API_VERSION}", ("apiVersion",))
        of = f"of {quoted(version, bare=True)}"
        what = f"a {quoted(kind, bare=True)} {of}" if isinstance(kind, str) else of
        says = f"this document is {what}, not a {KIND} of {API_VERSION}"
        fix = f"write apiVersion: {API_VERSION} and kind: {KIND}, or take the document out of the file"
        return error("SPEC020", says, fix, ("apiVersion",))
    if isinstance(kind, str) and kind != KIND:
        return error("SPEC020", f"kind {quoted(kind)} is not known", f"write {KIND}", ("kind",))
    return None


def _has_null(data: Any) -> bool:
    """Whether a key has no value, anywhere but below keys that hold whatever their reader takes."""
    if isinstance(data, dict):
        return any(_has_null(value) for key, value in data.items() if key not in _FREE)
    if isinstance(data, list):
        return any(map(_has_null, data))
    return data is None


def _without_consequences(findings: list[Finding], parsed: Parsed) -> list[Finding]:
    """The findings that are not about a value that another finding already calls wrong, one for each place and code."""
    damaged = parsed.damaged
    merged = {route[:-1] for route in damaged if route and route[-1] == "<<"}
    seen: set[Any] = set()
    kept = []
    for each in findings:
        prefixes = {each.at[:length] for length in range(len(each.at) + 1)}
        if damaged & prefixes or (each.code == "SPEC006" and each.at in merged):
            continue
        identity = (each.at, each.code, "" if each.code == "SPEC011" else each.says)
        if identity not in seen:
            seen.add(identity)
            kept.append(each)
    return kept
