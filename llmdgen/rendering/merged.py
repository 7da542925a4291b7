"""A spec as it is after merging with what it extends: a spec itself, with the place of each value beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.findings import Route
from llmdgen.rendering.encoding import comment
from llmdgen.spec.model import Spec
from llmdgen.yaml_text import as_yaml, block

WIDEST = 60
"""Columns up to which places stand below each other."""

_TOP = ("apiVersion", "kind", "metadata", "spec")


def merged(spec: Spec) -> str:
    """The document, every value as its file has it, with `# file:line` beside it and beside each list."""
    lines = list(_lines(spec, {key: spec.said[key] for key in _TOP}, ()))
    width = max((len(text) for text, place in lines if place and len(text) <= WIDEST), default=0)
    return "".join(f"{text.ljust(width)}  # {place}\n" if place else f"{text}\n" for text, place in lines)


def _lines(spec: Spec, mapping: dict[str, Any], at: Route) -> Iterator[tuple[str, str]]:
    """The lines of the spec, and the place that each comes from, empty where that is said above or below."""
    indent = "  " * len(at)
    for key, value in mapping.items():
        route = (*at, key)
        start = f"{indent}{as_yaml(key)}:"
        if isinstance(value, dict) and value:
            yield start, ""
            yield from _lines(spec, value, route)
        elif isinstance(value, list) and value:
            yield start, _place(spec, route)
            yield from ((f"{indent}  {line}", "") for line in block(value).split("\n"))
        else:
            yield f"{start} {as_yaml(value)}", _place(spec, route)


def _place(spec: Spec, route: Route) -> str:
    place = spec.locate(route)
    return comment(f"{place.path}:{place.line}")
