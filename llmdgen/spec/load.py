"""A spec file, loaded: read, searched for secrets, parsed, merged with what it extends, typed, and every mistake in it
said at once."""

from __future__ import annotations

import os
from itertools import islice
from typing import Any

import msgspec
from msgspec import structs

from llmdgen.findings import Finding, Located, SpecError
from llmdgen.spec.document import MOST_FINDINGS, Parsed
from llmdgen.spec.model import Document, Spec
from llmdgen.spec.names import misnamed
from llmdgen.spec.places import error, error_at, locate
from llmdgen.spec.read import MAY_BE_A_BASE, documents, foreign, text_of
from llmdgen.untyped import at

_FREE = ("args", "pod", "values")


def load_all(path: str | os.PathLike[str]) -> list[Spec]:
    """The specs of a file, in its order. Raises SpecError with every finding of the whole file and its bases."""
    name = os.fspath(path)
    return parse(text_of(name), name)


def parse(text: str, name: str) -> list[Spec]:
    """The same of a text; `name` is what findings call its file, and where the paths of bases start."""
    reading = documents(text, name)
    findings = list(reading.findings)
    specs: list[Spec] = []
    first: dict[str, int] = {}  # the line of each name: two specs of one would be rendered into one directory
    for parsed in reading.documents:
        spec, found = _spec(parsed)
        findings += found
        if spec is not None:
            specs.append(spec)
        called, place = at(parsed.data, "metadata", "name"), locate(parsed.path, parsed.places, ("metadata", "name"))
        if isinstance(called, str) and first.setdefault(called, place.line) != place.line:
            says = f"this document has the name of another, given in line {first[called]}"
            findings.append(error_at(place, "SPEC014", says, "give each spec of a file its own name"))
    if findings:
        raise SpecError(findings)
    return specs


def _spec(parsed: Parsed) -> tuple[Spec | None, list[Located]]:
    """The spec of a document, None where anything is wrong with it; and what."""
    if isinstance(parsed.data, dict) and "extends" in parsed.data and not foreign(parsed.data):
        return _extending_spec(parsed)
    spec, wrong = build(parsed)
    if isinstance(parsed.data, dict) and {"apiVersion", "kind"} <= parsed.data.keys():
        # A file that says what it is and has no name may well be a base.
        wrong = [
            structs.replace(each, fix=each.fix + MAY_BE_A_BASE)
            if each.code == "SPEC006" and each.says.startswith("metadata")
            else each
            for each in wrong
        ]
    return spec, [*map(parsed.located, wrong)]


def _extending_spec(parsed: Parsed) -> tuple[Spec | None, list[Located]]:
    """The same of a document that extends another. What only a spec that does so needs is imported here."""
    from llmdgen.spec.extends import extended

    merged, found = extended(parsed)
    if merged is None:
        # What is missing here, and what null deletes, only the base knows; what it extends is said already.
        _, wrong = build(parsed)
        known = [each for each in wrong if each.code not in ("SPEC006", "SPEC019") and each.at != ("extends",)]
        return None, [*found, *map(parsed.located, known)]
    spec, wrong = build(merged)
    # A base may leave out what each spec has to say, so what is missing is missing here.
    found += [(parsed if each.code == "SPEC006" else merged).located(each) for each in wrong]
    return (spec if not found else None), found


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
    return Spec(parsed.path, typed.metadata, typed.spec, parsed.places, parsed.data), []


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
