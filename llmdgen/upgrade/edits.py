"""One document that is edited: its text and its data, changed together.

After each change the new text is read as a spec is read, and has to hold exactly the data that was meant. A layout that
is too odd for a change is so found out, whatever it is, and the change is left to a person.
"""

from __future__ import annotations

from typing import Any

import msgspec

from llmdgen.findings import Route
from llmdgen.spec import document
from llmdgen.upgrade import text as texts
from llmdgen.upgrade.layout import CannotEdit, Layout
from llmdgen.upgrade.text import Entry


class Editor:
    """The text of one document, from its `---` on, and its plain data. Every method raises CannotEdit where the text
    cannot be changed as asked, and changes nothing then. `line_break` is for a line that has no neighbour with one;
    `moved` leads from a route to the one at which its value stood at first."""

    def __init__(self, text: str, line_break: str) -> None:
        self.text = text
        self.line_break = line_break
        self.data: Any = _read(text)
        self.moved: dict[Route, Route] = {}

    def get(self, route: Route) -> Any:
        """The value at a route of keys, None where there is none."""
        found = self.data
        for key in route:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def has(self, route: Route) -> bool:
        holder = self.get(route[:-1])
        return isinstance(holder, dict) and route[-1] in holder

    def set(self, route: Route, value: str, after: tuple[Route, ...] = ()) -> None:
        """A scalar at a route, behind the first of `after` that is there where the key is new."""
        layout = Layout(self.text)
        if self.has(route):
            new = texts.replace(layout, route, value)
        else:
            behind = next((each for each in after if self.has(each)), None)
            entry = Entry(key=str(route[-1]), tail=f": {texts.scalar(value, _quote(layout))}")
            new = texts.put(layout, self.line_break, route, entry, after=behind)
        self._become(new, _with(self.data, route, value))

    def move(self, source: Route, target: Route, value: Any = msgspec.UNSET) -> None:
        """The entry elsewhere, its comments with it, with another scalar as its value where one is given."""
        layout = Layout(self.text)
        data = self.get(source) if value is msgspec.UNSET else value
        if source[:-1] == target[:-1] and value is msgspec.UNSET:
            new, gone = texts.rename(layout, source, str(target[-1])), source
        else:
            written = None if value is msgspec.UNSET else texts.scalar(value, _quote(layout))
            entry = texts.take(layout, source, str(target[-1]), written)
            new = texts.put(layout, self.line_break, target, entry, before=source)
            new, gone = texts.remove(Layout(new), source)
        self._become(new, _without(_with(self.data, target, data), gone))

    def put(self, route: Route, value: Any, before: Route) -> None:
        """A new scalar, near another entry."""
        layout = Layout(self.text)
        entry = Entry(key=str(route[-1]), tail=f": {texts.scalar(value, _quote(layout))}")
        self._become(texts.put(layout, self.line_break, route, entry, before=before), _with(self.data, route, value))

    def replace(self, route: Route, value: Any) -> None:
        """Another scalar as the value."""
        self._become(texts.replace(Layout(self.text), route, value), _with(self.data, route, value))

    def remove(self, route: Route) -> None:
        """The document without the entry."""
        new, gone = texts.remove(Layout(self.text), route)
        self._become(new, _without(self.data, gone))

    def _become(self, text: str, data: Any) -> None:
        if _canonical(_read(text)) != _canonical(data):
            raise CannotEdit("the lines around it are laid out in a way that llmdgen does not edit")
        self.text, self.data = text, data


def _read(text: str) -> Any:
    reading = document.read(text, "")
    if reading.findings or len(reading.documents) != 1:
        raise CannotEdit("the lines around it are laid out in a way that llmdgen does not edit")
    return reading.documents[0].data


def _quote(layout: Layout) -> str | None:
    """The quotes of keys, which JSON has and YAML seldom."""
    style = layout.root.value[0][0].style
    return style if style in ('"', "'") else None


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
