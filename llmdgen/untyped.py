"""Values that may be anything, as what they should be: what is not a mapping, list or such path is simply empty. For
documents that others write: manifests, values, JSON flags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def maps(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """The mappings in a list, each with its index."""
    return [(index, each) for index, each in enumerate(items(value)) if isinstance(each, dict)]


def at(value: Any, *path: str | int) -> Any:
    """The value at a path of keys and indices, None where any part of it is missing."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def nodes(value: Any, route: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Everything in a value with its route, mappings and lists included, from the outside in."""
    if route:
        yield route, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from nodes(item, (*route, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nodes(item, (*route, index))
