"""One document that is edited: its text and its plain data, changed together.

A layout says where each key and value stands in the text, so that entries are cut out and put in and all else stays.
Each new text is read as a spec is read, and has to hold exactly the data that was meant and every comment of what is
still there. A layout that is too odd for that is so found out, whatever it is, and left to a person.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from copy import copy
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from llmdgen.findings import Route
from llmdgen.spec.document import NotANumber, read, resolve
from llmdgen.untyped import at, mapping

_BREAK = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\r\n]*")
_PLAIN = re.compile(r"[A-Za-z_/.][\w./@+-]*")
_KEPT: tuple[Route, ...] = (("spec",), ("spec", "prefill"))  # prefill says by being there that there is such a role


class CannotEdit(Exception):
    """The change cannot be made with everything else kept. The message says why."""


class Node(Struct):
    """A value, and for a mapping its entries. What stands in lines below its key starts and ends at the end of one."""

    start: int
    end: int
    in_lines: bool = False
    entries: dict[str, Entry] = {}


class Entry(Struct):
    """A key of a mapping, and its value."""

    start: int
    key_end: int
    value: Node


class Piece(Struct):
    """An entry to put in: on one line, where it can be so; in lines, comments above it first; and all its comments."""

    inline: str | None
    lines: list[str]
    comments: tuple[str, ...] = ()


class Editor:
    """The text of one document, from its `---` on, and its plain data. `line_break` is for new lines; `moved` leads
    from a route to the one at which its value stood at first."""

    def __init__(self, text: str, line_break: str) -> None:
        self.line_break = line_break
        self.data: Any = read(text, "").documents[0].data
        self.moved: dict[Route, Route] = {}
        self._compose(text)

    def _compose(self, text: str) -> None:
        from ruamel.yaml import YAML

        self.text = self._bare = text  # the latter without what scalars hold, which may look like a comment
        self._root = self._node(YAML(typ="safe", pure=True).compose(text), 0)
        self._is_json = text[next(iter(self._root.entries.values())).start] == '"'
        spec, self._step = self._root.entries.get("spec"), 2
        if spec is not None and spec.value.in_lines and spec.value.entries:
            self._step = self._column(next(iter(spec.value.entries.values())).start) - self._column(spec.start)

    def get(self, route: Route) -> Any:
        """The value at a route of keys, None where there is none."""
        return at(self.data, *route)

    def has(self, route: Route) -> bool:
        return route[-1] in mapping(self.get(route[:-1]))

    def put(self, route: Route, value: Any, before: Route = (), after: Route = ()) -> None:
        """A scalar at a route. Where the key is new it goes before the key that leads to `before` or behind the one
        that leads to `after`, else to the end; mappings on the way are made. Raises CannotEdit."""
        if self.has(route):
            start, end = self._at(route).start, self._at(route).end
            written = self._scalar(value, self.text[start:end][:1])  # in the quotes of the old one
            text = self.text[:start] + written + self.text[end:]
        else:
            inline = f"{self._scalar(route[-1])}: {self._scalar(value)}"
            text = self._inserted(route, Piece(inline, [inline]), before, after)
        self._take(text, _with(self.data, route, value))

    def move(self, source: Route, target: Route, value: Any = UNSET) -> None:
        """The entry elsewhere, with its comments, and with another scalar where one is given. Raises CannotEdit."""
        data = _with(self.data, target, self.get(source) if value is UNSET else value)
        piece = self._taken(source, str(target[-1]), value)
        both = copy(self)
        both._compose(self._inserted(target, piece, before=source))
        text, removed, gone = both._without(source)
        self._take(text, _cut(data, removed), gone - Counter(piece.comments))
        self.moved[target] = self.moved.pop(source, source)

    def remove(self, route: Route) -> None:
        """The document without the entry, its comments, and a mapping that would be empty then. Raises CannotEdit."""
        text, removed, gone = self._without(route)
        self._take(text, _cut(self.data, removed), gone)

    def _take(self, text: str, data: Any, gone: Counter[str] | None = None) -> None:
        """Go on with a text. Raises CannotEdit where it does not hold the data, or lacks a comment that is not gone."""
        reading = read(text, "")
        if reading.findings or _canonical([each.data for each in reading.documents]) != _canonical([data]):
            raise CannotEdit("the lines around it are laid out in a way that llmdgen does not edit")
        old, comments = self.text, self._comments()
        self._compose(text)
        lost = comments - self._comments() - (gone or Counter())
        if lost:
            self._compose(old)
            raise CannotEdit(f"the comment {next(iter(lost))!r} would be lost")
        self.data = data

    def _comments(self, start: int = 0, end: int | None = None) -> Counter[str]:
        """Every comment between two places, as often as it stands there."""
        return Counter(each.rstrip() for each in _COMMENT.findall(self._bare[start:end]))

    def _taken(self, route: Route, key: str, value: Any = UNSET) -> Piece:
        """An entry under another key, with its comments, and with another scalar where one is given."""
        entry = self._entry(route)
        old = entry.value
        new = self.text[old.start : old.end] if value is UNSET else self._scalar(value)
        inline = None if old.in_lines or new[:1] in ("|", ">") else f"{self._scalar(key)}: {new}"
        if not self._at(route[:-1]).in_lines:
            return Piece(inline, [f"{self._scalar(key)}: {new}"])
        start, end = self._lines(entry)
        whole = self.text[start : entry.start] + key + self.text[entry.key_end : old.start] + new
        lines = _BREAK.split(whole + _BREAK.sub("", self.text[old.end : end]))
        column = self._column(entry.start)
        above = tuple(self._comments(start, end).elements())
        return Piece(inline, [line[column:] if not line[:column].strip() else line.lstrip() for line in lines], above)

    def _inserted(self, route: Route, piece: Piece, before: Route = (), after: Route = ()) -> str:
        """The text with an entry; mappings on the way to it that are not there are made. Raises CannotEdit."""
        depth = len(route) - 1
        while not isinstance(self.get(route[:depth]), dict):
            if self.has(route[:depth]):
                raise CannotEdit(f"{'.'.join(map(str, route[:depth]))} is not a mapping")
            depth -= 1
        holder = self._at(route[:depth])
        entries = list(holder.entries)
        index = len(entries)
        for other, behind in ((before, 0), (after, 1)):
            if other[:depth] == route[:depth] and other[depth : depth + 1] and other[depth] in entries:
                index = entries.index(str(other[depth])) + behind
        is_before = index < len(entries)
        beside = holder.entries[entries[index if is_before else -1]] if entries else None
        if beside is None or not holder.in_lines:
            return self._between_brackets(route, depth, piece, beside, is_before)
        lines = [*(f"{self._scalar(key)}:" for key in route[depth:-1]), *piece.lines]
        deepest, column = len(route) - 1 - depth, self._column(beside.start)
        indents = [" " * (column + self._step * min(number, deepest)) for number in range(len(lines))]
        written = self.line_break.join((indent + line).rstrip(" ") for indent, line in zip(indents, lines, strict=True))
        start, end = self._lines(beside)
        position = start if is_before else end
        if position and self.text[position - 1] not in "\r\n":
            return self.text + self.line_break + written
        return self.text[:position] + written + self.line_break + self.text[position:]

    def _between_brackets(self, route: Route, depth: int, piece: Piece, beside: Entry | None, is_before: bool) -> str:
        """The same between brackets; comments go above the line with the first of them."""
        inline = piece.inline
        if inline is None:
            raise CannotEdit("several lines would have to stand between brackets")
        for key in reversed(route[depth:-1]):
            inline = f"{self._scalar(key)}: {{{inline}}}"
        holder = self._at(route[:depth])
        start, end, new = holder.start, holder.end, f"{{{inline}}}"
        if beside is not None:
            is_first = self._is_first(beside.start)
            comma = f",{self.line_break}{' ' * self._column(beside.start)}" if is_first else ", "
            start = end = beside.start if is_before else beside.value.end
            new = inline + comma if is_before else comma + inline
        text = self.text[:start] + new + self.text[end:]
        outer = next(each for each in range(depth + 1) if not self._at(route[:each]).in_lines)
        if piece.comments and outer == 0:
            raise CannotEdit("a comment would have to stand between brackets")
        key_start = self._entry(route[:outer]).start if outer else 0
        line, indent = self._line_start(key_start), " " * self._column(key_start)
        return text[:line] + "".join(f"{indent}{each}{self.line_break}" for each in piece.comments) + text[line:]

    def _without(self, route: Route) -> tuple[str, Route, Counter[str]]:
        """The text without an entry, the route of what is gone, and the comments that were about it. A mapping that
        would be left empty goes too, unless comments are about it or its being there says something."""
        holder, entry = self._at(route[:-1]), self._entry(route)
        beside = list(holder.entries.values())
        start, end = self._lines(entry) if holder.in_lines else (entry.start, entry.value.end)
        gone = self._comments(start, end)
        if len(beside) == 1 and len(route) > 1:
            above = self._entry(route[:-1])
            first, last = self._lines(above) if self._at(route[:-2]).in_lines else (holder.start, holder.end)
            if route[:-1] not in _KEPT and self._comments(first, last) == gone:
                return self._without(route[:-1])
            if holder.in_lines:
                between = ": {}" + self.text[above.key_end + 1 : start]
                return self.text[: above.key_end] + between + self.text[end:], route, gone
        if holder.in_lines:
            rest = self.text[:start] + self.text[end:]
            is_at_end = end == len(self.text) and self.text[-1] not in "\r\n"
            return re.sub(r"(\r\n|\r|\n)\Z", "", rest) if is_at_end else rest, route, gone
        number = beside.index(entry)
        if number + 1 < len(beside):
            end = beside[number + 1].start
        elif number:
            start = beside[number - 1].value.end
        return self.text[:start] + self.text[end:], route, Counter()

    def _node(self, node: Any, above: int) -> Node:
        """What ruamel.yaml composed of a value whose key ends at `above`."""
        start, end = node.start_mark.index, node.end_mark.index
        if isinstance(node.value, str):
            if start == end:  # nothing, which it sees where the next thing starts
                start = end = self.text.find(":", above) + 1
            self._bare = self._bare[:start] + "x" * (end - start) + self._bare[end:]
            return Node(start, start + len(self.text[start:end].rstrip()))
        entries, last = {}, start
        for each in node.value:
            key, value = each if isinstance(each, tuple) else (None, each)
            inner = self._node(value, (key or value).end_mark.index)
            last = inner.end
            if key is not None:
                self._node(key, 0)
                entries[key.value] = Entry(key.start_mark.index, key.end_mark.index, inner)
        if node.flow_style:
            return Node(start, end, False, entries)
        return Node(self._line_end(above), self._line_end(last), True, entries)

    def _at(self, route: Route) -> Node:
        return self._entry(route).value if route else self._root

    def _entry(self, route: Route) -> Entry:
        return self._at(route[:-1]).entries[str(route[-1])]

    def _lines(self, entry: Entry) -> tuple[int, int]:
        """From the first of the comment lines directly above an entry, which do not stand further right, to the end of
        its last line. Raises CannotEdit where another entry stands on them."""
        start, end = self._line_start(entry.start), self._line_end(entry.value.end)
        column = entry.start - start
        if not self._is_first(entry.start):
            raise CannotEdit("it shares its line with something else")
        while start and re.match(rf" {{0,{column}}}#", self.text[self._line_start(start - 1) :]):
            start = self._line_start(start - 1)
        broken = _BREAK.match(self.text, end)
        return start, broken.end() if broken else end

    def _line_start(self, position: int) -> int:
        if self.text[position - 1 : position + 1] == "\r\n":
            position -= 1
        return max(self.text.rfind("\n", 0, position), self.text.rfind("\r", 0, position)) + 1

    def _line_end(self, position: int) -> int:
        found = _BREAK.search(self.text, position)
        return found.start() if found else len(self.text)

    def _column(self, position: int) -> int:
        return position - self._line_start(position)

    def _is_first(self, position: int) -> bool:
        """Whether nothing stands before a position on its line."""
        return not self.text[self._line_start(position) : position].strip(" ")

    def _scalar(self, value: Any, like: str = "") -> str:
        if isinstance(value, str) and like == "'":
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value, ensure_ascii=False) if self._is_json or like == '"' else scalar(value)


def _canonical(data: Any) -> bytes:
    return msgspec.json.encode(data, order="sorted")


def _with(data: Any, route: Route, value: Any) -> Any:
    if not route:
        return value
    inner = data if isinstance(data, dict) else {}
    return {**inner, route[0]: _with(inner.get(route[0]), route[1:], value)}


def _cut(data: Any, route: Route) -> Any:
    if len(route) == 1:
        return {key: value for key, value in data.items() if key != route[0]}
    return {**data, route[0]: _cut(data[route[0]], route[1:])}


def scalar(value: Any) -> str:
    """A value in YAML, in quotes where it would be read as something else."""
    try:
        if isinstance(value, str) and _PLAIN.fullmatch(value) and isinstance(resolve(value), str):
            return value
    except NotANumber:
        pass
    return json.dumps(value, ensure_ascii=False)
