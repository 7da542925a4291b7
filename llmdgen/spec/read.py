"""The text of a file, and its documents without secrets: the same for a spec and for what it extends."""

from __future__ import annotations

import os
import stat
from functools import lru_cache

from llmdgen.findings import Finding, Located, Place, Severity, SpecError
from llmdgen.spec import document, secrets, text_blocks
from llmdgen.spec.places import position_of

STANDARD_INPUT = "-"
_ENDINGS = (".yaml", ".yml")
_BYTE_ORDER_MARK = "\ufeff"
_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# What the caller has opened already: a pipe there has a writer (`llmdgen validate <(generate)`).
_OPEN_ALREADY = ("/dev/", "/proc/")


def text_of(name: str) -> str:
    """The text of a file, or of standard input where the name is -. Raises SpecError where there is none."""
    start = Place(name)
    try:
        content = _content(name)
    except FileNotFoundError:
        raise SpecError([_error("SPEC010", "there is no such file", _meant(name), start)]) from None
    except IsADirectoryError:
        raise SpecError([_error("SPEC010", "this is a directory", _inside(name), start)]) from None
    except PermissionError:
        raise SpecError([_error("SPEC010", "the file may not be read", "let it be read", start)]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not one that the system takes"
        raise SpecError([_error("SPEC010", f"the file cannot be read: {reason}", "check the path", start)]) from None
    if len(content) > document.MOST_BYTES:
        says = f"the file is larger than {document.MOST_BYTES // 1024} KiB"
        raise SpecError([_error("SPEC002", says, "split it; a spec has about a hundred lines", start)])
    if content[:2] in _OF_UTF_16 or b"\0" in content[:2]:
        raise SpecError([_error("SPEC001", "the file is UTF-16, not UTF-8", "save the file as UTF-8", start)])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = position_of(content[: error.start].decode("utf-8"), error.start)
        says = f"the byte 0x{content[error.start]:02X} is not UTF-8"
        raise SpecError([_error("SPEC001", says, "save the file as UTF-8", Place(name, line, column))]) from None


def _content(name: str) -> bytes:
    """The bytes of a file, no more than are looked at. Raises OSError, and SpecError for a pipe."""
    if name == STANDARD_INPUT:
        with open(0, "rb", closefd=False) as file:
            return file.read(document.MOST_BYTES + 1)
    if _is_named_pipe(name):
        says = "this is a named pipe, which may never have a writer"
        raise SpecError([_error("SPEC010", says, f"name a file, or {STANDARD_INPUT} for standard input", Place(name))])
    with open(name, "rb") as file:
        return file.read(document.MOST_BYTES + 1)


def _is_named_pipe(name: str) -> bool:
    """Whether reading would wait for somebody to write. What else is wrong with a file, opening it says."""
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode) and not name.startswith(_OPEN_ALREADY)
    except (OSError, ValueError):
        return False


def _inside(name: str) -> str:
    """What to name instead of a directory."""
    try:
        beside = os.listdir(name)
    except OSError:
        beside = []
    for ending in _ENDINGS:
        if any(each.endswith(ending) for each in beside):
            return f"name the spec files in it: {os.path.join(name, f'*{ending}')}"
    return "name a spec file"


def _meant(name: str) -> str:
    """What to do about a file that is not there: the name beside it that was meant, if one is like it."""
    from llmdgen.suggest import nearest

    folder, file = os.path.split(name)
    if "*" in file or "?" in file:
        return "correct the pattern: the shell passes it on as it stands where no file matches"
    if not file:
        return "name the spec file"
    try:
        beside = sorted(each for each in os.listdir(folder or ".") if each.isprintable() and each.endswith(_ENDINGS))
    except (OSError, ValueError):
        return "check the path"
    close = nearest(file, beside, limit=1)
    return f"did you mean {os.path.join(folder, close[0])}?" if close else "check the path"


def documents(text: str, name: str) -> document.Reading:
    """The documents of a text, every secret in them masked, and what is wrong with the text."""
    reading = _parsed(text, name)
    cleaned = [without_secrets(each) for each in reading.documents]
    hidden = [finding for found, _ in cleaned for finding in found]
    return document.Reading(tuple(each for _, each in cleaned), (*reading.findings, *hidden))


def without_secrets(parsed: document.Parsed) -> tuple[list[Located], document.Parsed]:
    """The secrets that only show once the text is parsed, and a copy of the document without them."""
    found, data = secrets.find_in_data(parsed.data, parsed.path, parsed.places)
    return found, document.Parsed(parsed.path, parsed.index, data, parsed.places, parsed.damaged)


# Parsing takes longer than all else that is done with a file, and many specs of a call may extend the same one. The
# text is part of the key, so a file that changes meanwhile is parsed anew.
@lru_cache(maxsize=64)
def _parsed(text: str, name: str) -> document.Reading:
    findings, masked = secrets.find(text.removeprefix(_BYTE_ORDER_MARK), name)
    reading = document.read(masked, name)
    if text_blocks.BLOCKS in masked:
        for parsed in reading.documents:
            parsed.places.update(text_blocks.inner_places(parsed, masked.splitlines()))
    return document.Reading(reading.documents, (*findings, *reading.findings))


def _error(code: str, says: str, fix: str, place: Place) -> Located:
    return Located(Finding(code, Severity.ERROR, says, fix), place)
