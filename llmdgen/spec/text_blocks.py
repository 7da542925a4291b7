"""Places inside a text block that is itself YAML: the scheduler's configuration in spec.values.

The spec owns its lines, so a check of that configuration names its route beyond the block's own, and gets the line and
column of the part at fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.findings import Place, Route
from llmdgen.spec.document import Parsed, read
from llmdgen.spec.places import Places
from llmdgen.untyped import at

BLOCKS = "pluginsCustomConfig"
"""The key below which texts are YAML."""
BROKEN = "(broken)"
"""Stands in a route for the place at which a text stops being YAML."""


def inner_places(parsed: Parsed, lines: list[str]) -> Places:
    """The places inside every such block of a document. None of a text that is not a literal block, or no YAML."""
    found: Places = {}
    for route, (_, block) in parsed.places.items():
        if not is_block(route) or lines[block.line - 1][block.column - 1 : block.column] != "|":
            continue
        text = at(parsed.data, *route)
        first = next((each for each in lines[block.line :] if each.strip()), "")
        indent = len(first) - len(first.lstrip(" "))
        for inner, key, value in _places(text) if isinstance(text, str) else ():
            found[(*route, *inner)] = (_moved(key, block, indent), _moved(value, block, indent))
    return found


def is_block(route: Route) -> bool:
    """Whether the value of a route may be such a text, so that places below it are inside of the text."""
    return route[-2:-1] == (BLOCKS,)


def _places(text: str) -> Iterator[tuple[Route, Place, Place]]:
    """The keys and values of a text, or where it stops being YAML: at its last line, where something is still open."""
    reading = read(text, "")
    for broken in (each.place for each in reading.findings if each.finding.code == "SPEC001"):
        lines = text.rstrip("\n").split("\n")
        place = broken if broken.line <= len(lines) else Place("", len(lines), len(lines[-1]) + 1)
        yield (BROKEN,), place, place
    for document in reading.documents[:1]:
        for route, (key, value) in document.places.items():
            if route:
                yield route, key, value


def _moved(place: Place, block: Place, indent: int) -> Place:
    """From a place in the text to that in the file of the block."""
    return Place(block.path, block.line + place.line, indent + place.column)
