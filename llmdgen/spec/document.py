"""A spec file as plain data that knows its lines, from the events of a YAML parser.

Only what a reviewer reads the same way as the machine does is let in: no anchors, aliases, merge keys or tags, every
key is text and stands once, plain scalars follow the core schema of YAML 1.2. All that is wrong is collected, and what
can still be read is read, so that one run shows as many mistakes as it can.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from llmdgen.findings import Finding, Located, Place, Route, Severity
from llmdgen.spec.places import Places, Position, position_of
from llmdgen.spec.scalars import NotANumber, resolve
from llmdgen.spec.syntax import explain
from llmdgen.spec.words import quoted

MOST_BYTES = 256 * 1024
MOST_DOCUMENTS = 100
MOST_LEVELS = 32
MOST_VALUES = 10_000
MOST_FINDINGS = 100

# What an editor does not show: control characters, separators that only some readers take for line breaks, and the
# marks that reorder text on the screen (https://trojansource.codes).
INVISIBLE = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
_IN_SCALARS = re.compile(f"{INVISIBLE.pattern}|[\u00a0\ud800-\udfff]")


class Parsed(Struct, frozen=True):
    """One document of the file `path`: `index` counts from 0; `damaged` are the routes whose value is not what the
    file says.

    The route of a merge key, (..., "<<"), is among the damaged: what it would have brought is missing.
    """

    path: str
    index: int
    data: Any
    places: Places
    damaged: frozenset[Route] = frozenset()


class Reading(Struct, frozen=True):
    """What a text holds: the documents that could be read to their end, and everything that is wrong with the text."""

    documents: tuple[Parsed, ...]
    findings: tuple[Located, ...]


class _Stop(Exception):
    """Reading on would say nothing of use."""


class _Frame(Struct):
    """A mapping or a list that is still open. In a mapping, `key` is set while its value is awaited."""

    container: Any
    route: Route
    key: str | None = None
    first_lines: dict[str, int] = {}


def read(text: str, path: str) -> Reading:
    """The documents of a text. Never raises for what a text may hold."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    reader = _Reader(path)
    try:
        reader.look_for_invisible(text)
        for event in YAML(typ="safe", pure=True).parse(text):
            reader.count(event)
            getattr(reader, _HANDLERS[type(event).__name__])(event)
    except _Stop:
        pass
    except (YAMLError, ValueError, OverflowError) as error:
        # Neither YAML error: an escape such as "\UFFFFFFFF" names a character that does not exist.
        position, says, fix = explain(error, text, reader.last, reader.innermost())
        reader.report("SPEC001", says, fix, position)
    if not reader.documents and not reader.findings:
        reader.report("SPEC001", "the file holds no spec", "write one, or start from `llmdgen init`", (1, 1))
    return Reading(tuple(reader.documents), tuple(reader.findings))


class _Reader:
    """Builds documents from events. Every handler takes one event; `open` is the stack of open collections."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.documents: list[Parsed] = []
        self.findings: list[Located] = []
        self.open: list[_Frame] = []
        self.last: Position = (1, 1)
        self.events = 0
        self.start()

    def start(self) -> None:
        self.root: Any = None
        self.places: Places = {}
        self.damaged: set[Route] = set()
        self.open.clear()

    def report(self, code: str, says: str, fix: str, position: Position) -> None:
        place = Place(self.path, *position)
        self.findings.append(Located(Finding(code, Severity.ERROR, says, fix), place))
        if len(self.findings) >= MOST_FINDINGS:
            raise _Stop

    def count(self, event: Any) -> None:
        """A limit to the work: the parser takes a second for some ten thousand values."""
        self.last = _position(event.start_mark)
        self.events += 1
        if self.events > MOST_VALUES:
            self.report("SPEC002", f"the file holds more than {MOST_VALUES} keys and values", "split it", self.last)
            raise _Stop

    def innermost(self) -> Position | None:
        """Where the innermost collection that is still open starts."""
        return _position_of(self.places[self.open[-1].route][1]) if self.open else None

    def look_for_invisible(self, text: str) -> None:
        found = INVISIBLE.search(text)
        if found:
            line, column = position_of(text, found.start())
            self.report("SPEC018", f"invisible character U+{ord(found[0]):04X}", "delete it", (line, column))
            raise _Stop

    def ignore(self, event: Any) -> None:
        """The start and end of the stream say nothing."""

    def document_start(self, event: Any) -> None:
        self.start()
        if event.tags or (event.version and tuple(event.version) != (1, 2)):
            self.report(
                "SPEC004",
                "a YAML directive changes how the file is read",
                "delete the line that starts with %",
                _position(event.start_mark),
            )

    def document_end(self, event: Any) -> None:
        if self.root is None:  # an empty document, such as the one after a last ---, is none
            return
        if len(self.documents) >= MOST_DOCUMENTS:
            says = f"the file holds more than {MOST_DOCUMENTS} documents"
            self.report("SPEC002", says, "split the file", _position_of(self.places[()][1]))
            raise _Stop
        parsed = Parsed(self.path, len(self.documents), self.root, self.places, frozenset(self.damaged))
        self.documents.append(parsed)

    def mapping_start(self, event: Any) -> None:
        self._collection(event, {})

    def sequence_start(self, event: Any) -> None:
        self._collection(event, [])

    def collection_end(self, event: Any) -> None:
        self.open.pop()

    def alias(self, event: Any) -> None:
        at = _position(event.start_mark)
        self.report("SPEC004", f"alias *{quoted(event.anchor, bare=True)}", "write the value out where it is used", at)
        if self._awaits_key():
            raise _Stop
        self.damaged.add(self._place(None, at))

    def scalar(self, event: Any) -> None:
        at = _position(event.start_mark)
        self._refuse_properties(event, at)
        unseen = _IN_SCALARS.search(event.value)
        if unseen:
            self.report(
                "SPEC018",
                f"the text holds the invisible character U+{ord(unseen[0]):04X}",
                "replace it with an ordinary space" if unseen[0] == "\u00a0" else "delete it",
                at,
            )
        text = _IN_SCALARS.sub("?", event.value) if unseen else event.value
        plain = event.style in (None, "") and event.tag is None
        if self._awaits_key():
            self._key(text, plain, at)
            return
        damaged = bool(unseen) or event.tag is not None
        value: Any = text
        if plain:
            try:
                value = resolve(value)
            except NotANumber as error:
                damaged = True
                self.report("SPEC008", str(error), "write a finite number without a leading 0, or text in quotes", at)
        route = self._place(value, at)
        if damaged:
            self.damaged.add(route)

    def _key(self, key: str, plain: bool, at: Position) -> None:
        frame = self.open[-1]
        route = (*frame.route, key)
        frame.key = key
        if plain and key == "<<":
            self.report("SPEC004", "merge key <<", "write the keys out where they belong", at)
            self.damaged.add(route)
        elif plain and not _is_text(key):
            self.damaged.add(route)
            if key:
                self.report("SPEC007", f"the key {key[:40]} is not text", f'put it in quotes: "{key[:40]}"', at)
            else:
                self.report("SPEC007", "a key is missing before the colon", "write the key", at)
        if key in frame.first_lines:
            first = frame.first_lines[key]
            self.report("SPEC003", f"{quoted(key)} stands here a second time, first in line {first}", "keep one", at)
            self.damaged.add(route)
        else:
            frame.first_lines[key] = at[0]
            place = Place(self.path, *at)
            self.places[route] = (place, place)

    def _collection(self, event: Any, container: Any) -> None:
        at = _position(event.start_mark)
        if self._awaits_key():
            self.report(
                "SPEC007",
                "a key must be text, this one is a list or a mapping",
                "write a plain key; text that starts with { or [ goes in quotes, and {{ }} is not filled in",
                at,
            )
            raise _Stop
        self._refuse_properties(event, at)
        if len(self.open) >= MOST_LEVELS:
            self.report("SPEC002", f"more than {MOST_LEVELS} levels of nesting", "nest less deeply", at)
            raise _Stop
        route = self._place(container, at)
        if event.tag is not None:
            self.damaged.add(route)
        self.open.append(_Frame(container, route, first_lines={}))

    def _refuse_properties(self, event: Any, at: Position) -> None:
        if event.anchor is not None:
            self.report("SPEC004", f"anchor &{quoted(event.anchor, bare=True)}", "write the values out", at)
        if event.tag is not None:
            self.report(
                "SPEC004", f"tag {quoted(str(event.tag), bare=True)}", "delete it; quotes make a value text", at
            )

    def _awaits_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].container, dict) and self.open[-1].key is None

    def _place(self, value: Any, at: Position) -> Route:
        """Put a value where it belongs and remember its position. The first of two equal keys is kept."""
        place = Place(self.path, *at)
        if not self.open:
            self.root = value
            self.places[()] = (place, place)
            return ()
        frame = self.open[-1]
        if isinstance(frame.container, list):
            route = (*frame.route, len(frame.container))
            frame.container.append(value)
            self.places[route] = (place, place)
            return route
        assert frame.key is not None
        route = (*frame.route, frame.key)
        is_merge = frame.key == "<<" and route in self.damaged
        if frame.key not in frame.container and not is_merge:
            frame.container[frame.key] = value
            self.places[route] = (self.places[route][0], place)
        frame.key = None
        return route


_HANDLERS = {
    "StreamStartEvent": "ignore",
    "StreamEndEvent": "ignore",
    "DocumentStartEvent": "document_start",
    "DocumentEndEvent": "document_end",
    "MappingStartEvent": "mapping_start",
    "MappingEndEvent": "collection_end",
    "SequenceStartEvent": "sequence_start",
    "SequenceEndEvent": "collection_end",
    "ScalarEvent": "scalar",
    "AliasEvent": "alias",
}


def _position(mark: Any) -> Position:
    return mark.line + 1, mark.column + 1


def _position_of(place: Place) -> Position:
    return place.line, place.column


def _is_text(key: str) -> bool:
    try:
        return isinstance(resolve(key), str)
    except NotANumber:
        return False
