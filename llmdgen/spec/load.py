"""A spec file, loaded: read, searched for secrets, parsed, merged with what it extends, typed, and every mistake in it
said at once."""

from __future__ import annotations

import os

from msgspec import structs

from llmdgen.findings import Located, SpecError
from llmdgen.spec.document import Parsed
from llmdgen.spec.model import Spec
from llmdgen.spec.places import error_at, locate
from llmdgen.spec.read import documents, text_of
from llmdgen.spec.structure import MAY_BE_A_BASE, build, foreign
from llmdgen.untyped import at


def load_all(path: str | os.PathLike[str]) -> list[Spec]:
    """The specs of a file, in its order. Raises SpecError with every finding of the whole file and its bases."""
    name = os.fspath(path)
    return parse(text_of(name), name)


def parse(text: str, name: str) -> list[Spec]:
    """The same of a text; `name` is what findings call its file, and where the paths of bases start."""
    reading = documents(text, name)
    findings = list(reading.findings)
    specs: list[Spec] = []
    first: dict[str, int] = {}
    for parsed in reading.documents:
        spec, found = _spec(parsed)
        findings += found
        findings += _second_of_a_name(parsed, first)
        if spec is not None:
            specs.append(spec)
    if findings:
        raise SpecError(dict.fromkeys(findings))
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


def _second_of_a_name(parsed: Parsed, first: dict[str, int]) -> list[Located]:
    """A finding where an earlier document has the same metadata.name: both would be rendered into one directory."""
    called = at(parsed.data, "metadata", "name")
    if not isinstance(called, str):
        return []
    place = locate(parsed.path, parsed.places, ("metadata", "name"))
    if called in first:
        says = f"this document has the name of another, given in line {first[called]}"
        return [error_at(place, "SPEC014", says, "give each spec of a file its own name")]
    first[called] = place.line
    return []
