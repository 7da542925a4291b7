"""The text of a file, and its documents without secrets: the same for a spec and for what it extends."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from llmdgen.findings import Finding, Located, Place, Route, SpecError
from llmdgen.spec import document, secrets
from llmdgen.spec.model import API_VERSION, KIND
from llmdgen.spec.places import Places, Position, described, error, error_at, position_of, quoted
from llmdgen.untyped import at

STANDARD_INPUT = "-"
BROKEN = "(broken)"
"""Stands in a route for the place at which a text block of YAML stops being YAML."""
ENDINGS = (".yaml", ".yml")
TOP_KEYS = ("apiVersion", "kind", "extends", "metadata", "spec")
MAY_BE_A_BASE = "; a base is not loaded itself, but the specs that extend it"
_BLOCKS = "pluginsCustomConfig"  # the key below which texts are YAML: the scheduler's configuration in spec.values
_OPEN_ALREADY = ("/dev/", "/proc/")  # what a shell opens for <(command)
_BYTE_ORDER_MARK = "\ufeff"
_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def text_of(name: str) -> str:
    """The text of a file, or of standard input where the name is -. Raises SpecError where there is none."""
    if _is_named_pipe(name):
        says = "this is a named pipe, which may never have a writer"
        raise _unreadable(name, "SPEC010", says, f"name a file, or {STANDARD_INPUT} for standard input")
    try:
        with open(0, "rb", closefd=False) if name == STANDARD_INPUT else open(name, "rb") as file:
            content = file.read(document.MOST_BYTES + 1)  # no more than is looked at
    except FileNotFoundError:
        raise _unreadable(name, "SPEC010", "there is no such file", _meant(name)) from None
    except IsADirectoryError:
        raise _unreadable(name, "SPEC010", "this is a directory", _inside(name)) from None
    except PermissionError:
        raise _unreadable(name, "SPEC010", "the file may not be read", "let it be read") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not one that the system takes"
        raise _unreadable(name, "SPEC010", f"the file cannot be read: {reason}", "check the path") from None
    if len(content) > document.MOST_BYTES:
        says = f"the file is larger than {document.MOST_BYTES // 1024} KiB"
        raise _unreadable(name, "SPEC002", says, "split it; a spec has about a hundred lines")
    if content[:2] in _OF_UTF_16 or b"\0" in content[:2]:
        raise _unreadable(name, "SPEC001", "the file is UTF-16, not UTF-8", "save the file as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        position = position_of(content[: error.start].decode("utf-8"), error.start)
        says = f"the byte 0x{content[error.start]:02X} is not UTF-8"
        raise _unreadable(name, "SPEC001", says, "save the file as UTF-8", position) from None


def _is_named_pipe(name: str) -> bool:
    """Whether reading would wait for somebody to write. What else is wrong with a file, opening it says."""
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode) and not name.startswith(_OPEN_ALREADY)
    except (OSError, ValueError):
        return False


def _unreadable(name: str, code: str, says: str, fix: str, at: Position = (1, 1)) -> SpecError:
    return SpecError([error_at(Place(name, *at), code, says, fix)])


def _inside(name: str) -> str:
    """What to name instead of a directory."""
    try:
        beside = os.listdir(name)
    except OSError:
        beside = []
    ending = next((each for each in ENDINGS if any(file.endswith(each) for file in beside)), None)
    return f"name the spec files in it: {os.path.join(name, f'*{ending}')}" if ending else "name a spec file"


def _meant(name: str) -> str:
    """What to do about a file that is not there: the name beside it that was meant, if one is like it."""
    folder, file = os.path.split(name)
    if "*" in file or "?" in file:
        return "correct the pattern: the shell passes it on as it stands where no file matches"
    if not file:
        return "name the spec file"
    close = like(name)
    return f"did you mean {os.path.join(folder, close)}?" if close else "check the path"


def like(path: str, other_than: str = "") -> str:
    """A YAML file in the directory of a path whose name is like that in the path, empty where there is none."""
    from llmdgen.suggest import nearest

    folder, file = os.path.split(path)
    try:
        beside = sorted(os.listdir(folder or "."))
    except (OSError, ValueError):
        return ""
    known = [each for each in beside if each.isprintable() and each.endswith(ENDINGS) and each != other_than]
    return next(iter(nearest(file, known, limit=1)), "")


def documents(text: str, name: str) -> document.Reading:
    """The documents of a text, every secret in them masked, and what is wrong with the text."""
    reading = _parsed(text, name)
    cleaned = [without_secrets(each) for each in reading.documents]
    hidden = [finding for found, _ in cleaned for finding in found]
    return document.Reading(tuple(each for _, each in cleaned), (*reading.findings, *hidden))


def without_secrets(parsed: document.Parsed) -> tuple[list[Located], document.Parsed]:
    """The secrets that only show once the text is parsed, and a copy of the document without them."""
    found, data = secrets.find_in_data(parsed.data, parsed.path, parsed.places)
    return found, document.Parsed(parsed.path, data, parsed.places, parsed.damaged)


# Parsing takes longer than all else that is done with a file, and many specs of a call may extend the same one. The
# text is part of the key, so a file that changes meanwhile is parsed anew.
@lru_cache(maxsize=64)
def _parsed(text: str, name: str) -> document.Reading:
    findings, masked = secrets.find(text.removeprefix(_BYTE_ORDER_MARK), name)
    reading = document.read(masked, name)
    if _BLOCKS in masked:
        for parsed in reading.documents:
            parsed.places.update(_inner_places(parsed, masked.splitlines()))
    return document.Reading(reading.documents, (*findings, *reading.findings))


def _inner_places(parsed: document.Parsed, lines: list[str]) -> Places:
    """The places inside every text block that is itself YAML, so that a check of it names a route beyond the block's
    own and gets the line of the part at fault. None of a text that is not a literal block, or no YAML."""
    found: Places = {}
    for route, (_, block) in parsed.places.items():
        if route[-2:-1] != (_BLOCKS,) or lines[block.line - 1][block.column - 1 : block.column] != "|":
            continue
        text = at(parsed.data, *route)
        first = next((each for each in lines[block.line :] if each.strip()), "")
        indent = len(first) - len(first.lstrip(" "))
        for inner, key, value in _places(text) if isinstance(text, str) else ():
            found[(*route, *inner)] = (_moved(key, block, indent), _moved(value, block, indent))
    return found


def _places(text: str) -> Iterator[tuple[Route, Place, Place]]:
    """The keys and values of a text, or where it stops being YAML: at its last line, where something is still open."""
    reading = document.read(text, "")
    for broken in (each.place for each in reading.findings if each.finding.code == "SPEC001"):
        lines = text.rstrip("\n").split("\n")
        place = broken if broken.line <= len(lines) else Place("", len(lines), len(lines[-1]) + 1)
        yield (BROKEN,), place, place
    for inner in reading.documents[:1]:
        for route, (key, value) in inner.places.items():
            if route:
                yield route, key, value


def _moved(place: Place, block: Place, indent: int) -> Place:
    """From a place in the text to that in the file of the block."""
    return Place(block.path, block.line + place.line, indent + place.column)


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
        if version.partition("/")[0] == API_VERSION.partition("/")[0]:
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
