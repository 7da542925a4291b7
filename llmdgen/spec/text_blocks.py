"""Places inside a text block that is itself YAML: the scheduler's configuration in spec.values.

The spec owns its lines, so a check of that configuration names its route beyond the block's own, and gets the line and
column of the part at fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.findings import Place, Route
from llmdgen.spec.document import Parsed
from llmdgen.spec.places import Places, Position

BLOCKS = "pluginsCustomConfig"
"""The key below which texts are YAML."""
BROKEN = "(broken)"
"""Stands in a route for the place at which a text stops being YAML."""


def inner_places(parsed: Parsed, lines: list[str]) -> Places:
    """The places inside every such block of a document. None of a text that is not a literal block, or no YAML."""
    found: Places = {}
    for route, (_, place) in parsed.places.items():
        line, column = place.line, place.column
        if not is_block(route) or lines[line - 1][column - 1 : column] != "|":
            continue
        text = _value(parsed.data, route)
        first = next((each for each in lines[line:] if each.strip()), "")
        indent = len(first) - len(first.lstrip(" "))
        for inner, key, value in _nodes(text) if isinstance(text, str) else ():
            found[(*route, *inner)] = (_moved(key, place, indent), _moved(value, place, indent))
    return found


def is_block(route: Route) -> bool:
    """Whether the value of a route may be such a text, so that places below it are inside of the text."""
    return route[-2:-1] == (BLOCKS,)


def _nodes(text: str) -> Iterator[tuple[Route, Position, Position]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        if error.problem_mark:
            place = _inside(text, error.problem_mark.line, error.problem_mark.column)
            yield (BROKEN,), place, place
        return
    except (YAMLError, ValueError):
        return
    yield from _below(root, ())


def _inside(text: str, line: int, column: int) -> Position:
    """The position, or the end of the text where it is behind that: something is still open there."""
    lines = text.rstrip("\n").split("\n")
    return (line, column) if line < len(lines) else (len(lines) - 1, len(lines[-1]))


def _below(node: Any, route: Route) -> Iterator[tuple[Route, Position, Position]]:
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key.value, str):
                yield (*route, key.value), _mark(key), _mark(value)
                yield from _below(value, (*route, key.value))
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield (*route, index), _mark(value), _mark(value)
            yield from _below(value, (*route, index))


def _mark(node: Any) -> Position:
    return node.start_mark.line, node.start_mark.column


def _moved(position: Position, block: Place, indent: int) -> Place:
    """From line and column of the text, which count from 0, to the place in the file of the block."""
    return Place(block.path, position[0] + block.line + 1, position[1] + indent + 1)


def _value(data: Any, route: Route) -> Any:
    for part in route:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data
