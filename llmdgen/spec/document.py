"""A spec file as plain data that knows its lines, from the events of a YAML parser.

Only what a reviewer reads the same way as the machine does is let in: no anchors, aliases, merge keys or tags, every
key is text and stands once, plain scalars follow the core schema of YAML 1.2. All that is wrong is collected, and what
can still be read is read, so that one run shows as many mistakes as it can.

libyaml reads a file in a twentieth of the time that ruamel.yaml takes. But ruamel.yaml, with which `upgrade` edits,
refuses tabs that libyaml takes, and tells better what is wrong; so it reads files with tabs, and what libyaml refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NoReturn

import yaml
from msgspec import Struct

from llmdgen.findings import Finding, Located, Place, Route
from llmdgen.spec.places import Places, Position, error_at, locate, position_of, quoted
from llmdgen.spec.syntax import explain

MOST_BYTES = 256 * 1024
MOST_DOCUMENTS = 100
MOST_LEVELS = 32
MOST_VALUES = 10_000
MOST_FINDINGS = 100

# What an editor does not show: control characters, separators that only some readers take for line breaks, and the
# marks that reorder text on the screen (https://trojansource.codes).
# Patterns of so many characters take longer to compile than a spec to read, so the plain texts pass without.
_INVISIBLE = "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
_IN_SCALARS = f"{_INVISIBLE}|[\u00a0\ud800-\udfff]"

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_LONGEST = 66  # characters: Python refuses to convert very long numbers, and slowly converts long ones
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+|[-+]?0[0-9]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class Parsed(Struct, frozen=True):
    """One document of the file `path`. `damaged` are the routes whose value is not what the file says, and those of
    merge keys, (..., "<<"): what these would have brought is missing."""

    path: str
    data: Any
    places: Places
    damaged: frozenset[Route] = frozenset()

    def located(self, finding: Finding) -> Located:
        """The finding at its place."""
        return Located(finding, locate(self.path, self.places, finding.at, finding.on_key))


class Reading(Struct, frozen=True):
    """What a text holds: the documents that could be read to their end, and everything that is wrong with the text."""

    documents: tuple[Parsed, ...]
    findings: tuple[Located, ...]


class _Stop(Exception):
    """Reading on would say nothing of use."""


def read(text: str, path: str) -> Reading:
    """The documents of a text. Never raises for what a text may hold."""
    reader = _quickly(text, path) or _thoroughly(text, path)
    if not reader.documents and not reader.findings:
        reader.report("SPEC001", "the file holds no spec", "write one, or start from `llmdgen init`", Place(path))
    return Reading(tuple(reader.documents), tuple(reader.findings))


def _quickly(text: str, path: str) -> _Reader | None:
    """What libyaml makes of a text; None where it cannot be asked or refuses the text."""
    if "\t" in text or not yaml.__with_libyaml__:
        return None
    reader = _Reader(text, path, yaml.parse(text, yaml.CSafeLoader))
    try:
        reader.read()
    except (yaml.YAMLError, ValueError):
        return None
    return reader


def _thoroughly(text: str, path: str) -> _Reader:
    """What ruamel.yaml makes of a text; where it refuses the text, one of the findings says why."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    reader = _Reader(text, path, YAML(typ="safe", pure=True).parse(text))
    try:
        reader.read()
    except (YAMLError, ValueError, OverflowError) as error:
        # Neither YAML error: an escape such as "\UFFFFFFFF" names a character that does not exist.
        position, says, fix = explain(error, text, reader.last, reader.open[-1] if reader.open else None)
        with suppress(_Stop):
            reader.report("SPEC001", says, fix, Place(path, *position))
    return reader


class _Reader:
    """Builds documents from events, each value from its first event on; `open` are the starts of the collections that
    are not closed yet, `last` is the start of the last event. The events of both parsers are alike, in name too."""

    def __init__(self, text: str, path: str, events: Iterator[Any]) -> None:
        self.text, self.path, self.events = text, path, events
        self.documents: list[Parsed] = []
        self.findings: list[Located] = []
        self.open: list[Position] = []
        self.last: Position = (1, 1)
        self.number = 0

    def read(self) -> None:
        """Read to the end, or to where nothing of use would follow."""
        with suppress(_Stop):
            found = None if _is_shown(self.text) else re.search(_INVISIBLE, self.text)
            if found:
                place = Place(self.path, *position_of(self.text, found.start()))
                self._end("SPEC018", f"invisible character U+{ord(found[0]):04X}", "delete it", place)
            while not _is(event := self._next(), "StreamEnd"):
                if _is(event, "DocumentStart"):
                    self._document(event)

    def report(self, code: str, says: str, fix: str, place: Place | None = None) -> None:
        """A finding at a place, or where the event at hand starts."""
        self.findings.append(error_at(place or self._place(), code, says, fix))
        if len(self.findings) >= MOST_FINDINGS:
            raise _Stop

    def _end(self, code: str, says: str, fix: str, place: Place | None = None) -> NoReturn:
        """The same, of what makes reading on useless."""
        self.report(code, says, fix, place)
        raise _Stop

    def _next(self) -> Any:
        """The next event. The parser takes a second for some ten thousand values, which is the limit."""
        event = next(self.events)
        self.last = (event.start_mark.line + 1, event.start_mark.column + 1)
        self.number += 1
        if self.number > MOST_VALUES:
            self._end("SPEC002", f"the file holds more than {MOST_VALUES} keys and values", "split it")
        return event

    def _place(self) -> Place:
        return Place(self.path, *self.last)

    def _document(self, start: Any) -> None:
        if start.tags or (start.version and tuple(start.version) != (1, 2)):
            says = "a YAML directive changes how the file is read"
            self.report("SPEC004", says, "delete the line that starts with %")
        self.places: Places = {}
        self.damaged: set[Route] = set()
        root = self._value(self._next(), ())
        self._next()  # its end, before which there may be an error
        if root is None:  # an empty document, such as the one after a last ---, is none
            return
        if len(self.documents) >= MOST_DOCUMENTS:
            says = f"the file holds more than {MOST_DOCUMENTS} documents"
            self._end("SPEC002", says, "split the file", self.places[()][1])
        self.documents.append(Parsed(self.path, root, self.places, frozenset(self.damaged)))

    def _value(self, event: Any, route: Route, key: Place | None = None) -> Any:
        """What begins with an event; `key` is the place of its key in a mapping."""
        place = self._place()
        self.places[route] = (key or place, place)
        self._refuse_properties(event)
        if _is(event, "Alias"):
            self.damaged.add(route)
            return None
        if event.tag is not None:
            self.damaged.add(route)
        if _is(event, "Scalar"):
            return self._scalar(event, route)
        if len(self.open) >= MOST_LEVELS:
            self._end("SPEC002", f"more than {MOST_LEVELS} levels of nesting", "nest less deeply")
        self.open.append(self.last)
        found = self._mapping(route) if _is(event, "MappingStart") else self._sequence(route)
        self.open.pop()
        return found

    def _sequence(self, route: Route) -> list[Any]:
        found: list[Any] = []
        while not _is(event := self._next(), "SequenceEnd"):
            found.append(self._value(event, (*route, len(found))))
        return found

    def _mapping(self, route: Route) -> dict[str, Any]:
        """The keys and values up to the end of a mapping. The first of two equal keys is kept."""
        found: dict[str, Any] = {}
        while not _is(event := self._next(), "MappingEnd"):
            place = self._place()
            key, is_merge = self._key(event, route)
            inner = (*route, key)
            first = self.places.get(inner)
            if first:
                says = f"{quoted(key)} stands here a second time, first in line {first[0].line}"
                self.report("SPEC003", says, "keep one")
                self.damaged.add(inner)
            value = self._value(self._next(), inner, place)
            if first:
                self.places[inner] = first
            elif not is_merge:
                found[key] = value
        return found

    def _key(self, event: Any, route: Route) -> tuple[str, bool]:
        """A key, and whether it is a merge key."""
        if _is(event, "MappingStart") or _is(event, "SequenceStart"):
            fix = "write a plain key; text that starts with { or [ goes in quotes, and {{ }} is not filled in"
            self._end("SPEC007", "a key must be text, this one is a list or a mapping", fix)
        self._refuse_properties(event)
        if _is(event, "Alias"):
            raise _Stop
        key, is_plain = self._visible(event), _is_plain(event)
        is_merge = is_plain and key == "<<"
        if is_merge:
            self.report("SPEC004", "merge key <<", "write the keys out where they belong")
        elif is_plain and not key:
            self.report("SPEC007", "a key is missing before the colon", "write the key")
        elif is_plain and not _is_text(key):
            self.report("SPEC007", f"the key {key[:40]} is not text", f'put it in quotes: "{key[:40]}"')
        else:
            return key, False
        self.damaged.add((*route, key))
        return key, is_merge

    def _scalar(self, event: Any, route: Route) -> Any:
        text = self._visible(event)
        if text != event.value:
            self.damaged.add(route)
        if not _is_plain(event):
            return text
        try:
            return resolve(text)
        except NotANumber as error:
            self.damaged.add(route)
            fix = "write a finite number without a leading 0, or text in quotes"
            self.report("SPEC008", str(error), fix)
            return text

    def _visible(self, event: Any) -> str:
        """The text of a scalar, ? for each character that nobody sees."""
        text: str = event.value
        if _is_shown(text):
            return text
        unseen = re.search(_IN_SCALARS, text)
        if unseen:
            says = f"the text holds the invisible character U+{ord(unseen[0]):04X}"
            fix = "replace it with an ordinary space" if unseen[0] == "\u00a0" else "delete it"
            self.report("SPEC018", says, fix)
        return re.sub(_IN_SCALARS, "?", text)

    def _refuse_properties(self, event: Any) -> None:
        is_alias = _is(event, "Alias")
        if event.anchor is not None:
            says = f"{'alias *' if is_alias else 'anchor &'}{quoted(event.anchor, bare=True)}"
            self.report("SPEC004", says, f"write the value{' out where it is used' if is_alias else 's out'}")
        if not is_alias and event.tag is not None:
            says = f"tag {quoted(str(event.tag), bare=True)}"
            self.report("SPEC004", says, "delete it; quotes make a value text")


def _is(event: Any, kind: str) -> bool:
    return type(event).__name__ == f"{kind}Event"


def _is_plain(event: Any) -> bool:
    return event.style in (None, "") and event.tag is None


def _is_text(key: str) -> bool:
    try:
        return isinstance(resolve(key), str)
    except NotANumber:
        return False


def _is_shown(text: str) -> bool:
    """Whether a text is ASCII that an editor shows, in lines."""
    return text.isascii() and text.replace("\n", "").isprintable()


class NotANumber(ValueError):
    """A number that no reader of the output could hold, or that two would read differently; the message says why."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar, by the core schema of YAML 1.2: only null, true, false and numbers are anything but
    text. `yes`, `no`, `1_000`, `12:30` and dates stay the text that they are, whatever a reader of YAML 1.1 would make
    of them. Raises NotANumber for infinities, NaN, octal numbers and those of more than 64 bits."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _OCTAL.fullmatch(text):
        raise NotANumber(f"readers of YAML differ about {text[:20]}: to some it is octal")
    if _NOT_FINITE.fullmatch(text):
        raise NotANumber("infinity and not-a-number are not values here")
    if _DECIMAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        whole = int(text, 16 if text[:2] == "0x" else 10) if len(text) <= _LONGEST else _LARGEST + 1
        if _SMALLEST <= whole <= _LARGEST:
            return whole
    elif _FLOAT.fullmatch(text):
        number = float(text)
        if abs(number) != float("inf"):
            return number
    else:
        return text
    raise NotANumber("the number is larger than 64 bits hold")
