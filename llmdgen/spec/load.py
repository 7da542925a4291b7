"""A spec file, loaded: read, searched for secrets, parsed, typed, and every mistake in it said at once."""

from __future__ import annotations

import os

from llmdgen.findings import Finding, Located, Place, Severity, SpecError
from llmdgen.spec import document, secrets, text_blocks
from llmdgen.spec.model import Spec
from llmdgen.spec.places import locate, position_of
from llmdgen.spec.structure import build

_BYTE_ORDER_MARK = "\ufeff"


def load(path: str | os.PathLike[str]) -> Spec:
    """The spec of a file that holds exactly one. Raises SpecError with every finding of the file."""
    specs = load_all(path)
    if len(specs) > 1:
        second = locate(specs[1].path, specs[1].places, ())
        says = f"the file holds {len(specs)} specs, one is expected here"
        raise SpecError([_error("SPEC002", says, "split the file, or load all of them", second)])
    return specs[0]


def load_all(path: str | os.PathLike[str]) -> list[Spec]:
    """The specs of a file, in its order. Raises SpecError with every finding of the whole file."""
    name = os.fspath(path)
    return parse(_text(name), name)


def parse(text: str, name: str) -> list[Spec]:
    """The specs of a text; `name` is what findings call its file. Raises SpecError as `load_all` does."""
    findings, masked = secrets.find(text.removeprefix(_BYTE_ORDER_MARK), name)
    reading = document.read(masked, name)
    findings += reading.findings
    specs: list[Spec] = []
    first: dict[str, int] = {}
    for parsed in reading.documents:
        hidden, parsed = _without_secrets(parsed, name)
        if text_blocks.BLOCKS in masked:
            parsed.places.update(text_blocks.inner_places(parsed, masked.splitlines()))
        findings += hidden
        typed, wrong = build(parsed)
        findings += [Located(each, locate(name, parsed.places, each.at, each.on_key)) for each in wrong]
        findings += _second_of_a_name(parsed, name, first)
        if typed is not None:
            specs.append(Spec(name, parsed.index, typed.metadata, typed.spec, parsed.places))
    if findings:
        raise SpecError(findings)
    return specs


def _text(name: str) -> str:
    """The text of a file. Raises SpecError where there is none."""
    start = Place(name)
    try:
        with open(name, "rb") as file:
            content = file.read(document.MOST_BYTES + 1)
    except FileNotFoundError:
        raise SpecError([_error("SPEC010", "there is no such file", "check the path", start)]) from None
    except IsADirectoryError:
        raise SpecError([_error("SPEC010", "this is a directory", "name the spec file in it", start)]) from None
    except PermissionError:
        raise SpecError([_error("SPEC010", "the file may not be read", "let it be read", start)]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not one that the system takes"
        raise SpecError([_error("SPEC010", f"the file cannot be read: {reason}", "check the path", start)]) from None
    if len(content) > document.MOST_BYTES:
        says = f"the file is larger than {document.MOST_BYTES // 1024} KiB"
        raise SpecError([_error("SPEC002", says, "split it; a spec has about a hundred lines", start)])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = position_of(content[: error.start].decode("utf-8"), error.start)
        says = f"the byte 0x{content[error.start]:02X} is not UTF-8"
        raise SpecError([_error("SPEC001", says, "save the file as UTF-8", Place(name, line, column))]) from None


def _without_secrets(parsed: document.Parsed, name: str) -> tuple[list[Located], document.Parsed]:
    found, data = secrets.find_in_data(parsed.data, name, parsed.places)
    return found, document.Parsed(parsed.index, data, parsed.places, parsed.damaged)


def _second_of_a_name(parsed: document.Parsed, name: str, first: dict[str, int]) -> list[Located]:
    """A finding where an earlier document has the same metadata.name: both would be rendered into one directory."""
    metadata = parsed.data.get("metadata") if isinstance(parsed.data, dict) else None
    called = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(called, str):
        return []
    place = locate(name, parsed.places, ("metadata", "name"))
    if called in first:
        says = f"this document has the name of another, given in line {first[called]}"
        return [_error("SPEC014", says, "give each spec of a file its own name", place)]
    first[called] = place.line
    return []


def _error(code: str, says: str, fix: str, place: Place) -> Located:
    return Located(Finding(code, Severity.ERROR, says, fix), place)
