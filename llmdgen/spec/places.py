"""Where a route stands in its file."""

from __future__ import annotations

from llmdgen.findings import Place, Route

Position = tuple[int, int]
Places = dict[Route, tuple[Position, Position]]
"""From a route to the (line, column) of its key and of its value, each counting from 1."""


def locate(path: str, places: Places, route: Route, on_key: bool = False) -> Place:
    """The place of a route, or of the nearest part of it that the file holds."""
    for length in range(len(route), -1, -1):
        found = places.get(route[:length])
        if found:
            line, column = found[0 if on_key and length == len(route) else 1]
            return Place(path, line, column)
    return Place(path)


def position_of(text: str, offset: int) -> Position:
    """Line and column, from 1, of an offset. A line ends with \\n, \\r\\n or \\r, as in YAML."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")
