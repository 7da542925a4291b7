"""Where a route stands, in which file, at which line and column; and findings there, all of them errors."""

from __future__ import annotations

from llmdgen.findings import Finding, Located, Place, Route, Severity

Position = tuple[int, int]
"""Line and column in a text, each counting from 1."""

Places = dict[Route, tuple[Place, Place]]
"""From a route to the places of its key and of its value. Those of a spec that extends another are in several files."""


def locate(path: str, places: Places, route: Route, on_key: bool = False) -> Place:
    """The place of a route, or of the nearest part of it that is there; the start of the file `path` without any."""
    for length in range(len(route), -1, -1):
        found = places.get(route[:length])
        if found:
            return found[0 if on_key and length == len(route) else 1]
    return Place(path)


def position_of(text: str, offset: int) -> Position:
    """Line and column, from 1, of an offset. A line ends with \\n, \\r\\n or \\r, as in YAML."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def error(code: str, says: str, fix: str, at: Route = (), on_key: bool = False) -> Finding:
    """A finding about the value at a route, or about its key."""
    return Finding(code, Severity.ERROR, says, fix, at, on_key)


def error_at(place: Place, code: str, says: str, fix: str) -> Located:
    """A finding about a place in a text that has no routes, or none yet."""
    return Located(error(code, says, fix), place)
