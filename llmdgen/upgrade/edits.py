"""One document that is edited: its text and its plain data, changed together.

Each new text is read as a spec is read, and has to hold exactly the data that was meant and every comment of what is
still there. A layout that is too odd for that is so found out, whatever it is, and left to a person.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from msgspec import UNSET

from llmdgen.findings import Route
from llmdgen.spec import document
from llmdgen.upgrade.layout import CannotEdit, Layout, Piece


class Editor:
    """The text of one document, from its `---` on, and its plain data. `line_break` is for new lines; `moved` leads
    from a route to the one at which its value stood at first."""

    def __init__(self, text: str, line_break: str) -> None:
        self._layout = Layout(text, line_break)
        self.data: Any = document.read(text, "").documents[0].data
        self.moved: dict[Route, Route] = {}

    @property
    def text(self) -> str:
        return self._layout.text

    def get(self, route: Route) -> Any:
        """The value at a route of keys, None where there is none."""
        data = self.data
        for key in route:
            data = data.get(key) if isinstance(data, dict) else None
        return data

    def has(self, route: Route) -> bool:
        holder = self.get(route[:-1])
        return isinstance(holder, dict) and route[-1] in holder

    def put(self, route: Route, value: Any, before: Route = (), after: Route = ()) -> None:
        """A scalar at a route. Where the key is new it goes before the key that leads to `before` or behind the one
        that leads to `after`, else to the end; mappings on the way are made. Raises CannotEdit."""
        if self.has(route):
            text = self._layout.replaced(route, value)
        else:
            text = self._inserted(route, self._layout.piece(str(route[-1]), value), before, after)
        self._take(text, _with(self.data, route, value))

    def move(self, source: Route, target: Route, value: Any = UNSET) -> None:
        """The entry elsewhere, its comments with it, with another scalar as its value where one is given. Raises
        CannotEdit."""
        data = _with(self.data, target, self.get(source) if value is UNSET else value)
        piece = self._layout.taken(source, str(target[-1]), value)
        both = Layout(self._inserted(target, piece, before=source), self._layout.line_break)
        text, removed, gone = both.without(source)
        self._take(text, _without(data, removed), gone - Counter(piece.comments))
        self.moved[target] = self.moved.pop(source, source)

    def remove(self, route: Route) -> None:
        """The document without the entry and its comments, and without a mapping that it would leave empty. Raises
        CannotEdit."""
        text, removed, gone = self._layout.without(route)
        self._take(text, _without(self.data, removed), gone)

    def _inserted(self, route: Route, piece: Piece, before: Route = (), after: Route = ()) -> str:
        depth = len(route) - 1
        while not isinstance(self.get(route[:depth]), dict):
            if self.has(route[:depth]):
                raise CannotEdit(f"{'.'.join(map(str, route[:depth]))} is not a mapping")
            depth -= 1
        return self._layout.inserted(route, depth, piece, before, after)

    def _take(self, text: str, data: Any, gone: Counter[str] | None = None) -> None:
        """Go on with a text. Raises CannotEdit where it does not hold the data, or lacks a comment that is not gone."""
        reading = document.read(text, "")
        read = [each.data for each in reading.documents]
        if reading.findings or _canonical(read) != _canonical([data]):
            raise CannotEdit("the lines around it are laid out in a way that llmdgen does not edit")
        new = Layout(text, self._layout.line_break)
        lost = self._layout.comments() - new.comments() - (gone or Counter())
        if lost:
            raise CannotEdit(f"the comment {next(iter(lost))!r} would be lost")
        self._layout, self.data = new, data


def _canonical(data: Any) -> bytes:
    return msgspec.json.encode(data, order="sorted")


def _with(data: Any, route: Route, value: Any) -> Any:
    if not route:
        return value
    inner = data if isinstance(data, dict) else {}
    return {**inner, route[0]: _with(inner.get(route[0]), route[1:], value)}


def _without(data: Any, route: Route) -> Any:
    if len(route) == 1:
        return {key: value for key, value in data.items() if key != route[0]}
    return {**data, route[0]: _without(data[route[0]], route[1:])}
