"""What findings about a spec are made of: where a route stands, in which file, at which line and column, and how a
message names what a reader sees there."""

from __future__ import annotations

from typing import Any

from llmdgen.findings import Finding, Located, Place, Route, Severity
from llmdgen.secrets import mask

Position = tuple[int, int]
"""Line and column in a text, each counting from 1."""

Places = dict[Route, tuple[Place, Place]]
"""From a route to the places of its key and of its value. Those of a spec that extends another are in several files."""

LONGEST = 60


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


def quoted(text: str, bare: bool = False) -> str:
    """Text as a message shows it: on one line, at most 60 characters, in quotes unless bare, without secrets."""
    text = mask(text)
    shown = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST - 3]}..."
    return shown if bare else f"'{shown}'"


def described(value: Any) -> str:
    """A value with its kind: "the text '4'", "the number 4.5", "a list"."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {quoted(value)}" if value else "an empty text"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "a mapping"
