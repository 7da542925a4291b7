"""The value paths that a chart's templates read, as a tree, and a spec's own values walked along it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import Struct

from llmdgen.findings import Route
from llmdgen.resources import read_fact

ITEM = "[]"
Tree = dict[str, Any]
"""Key -> what is read below it; an empty tree means everything. The items of a list stand under "[]"."""


@cache
def read_paths(release: str, chart: str) -> Tree:
    """The paths of one chart of a release, by the name in its `values-<chart>.txt`."""
    tree: Tree = {}
    for line in read_fact("releases", release, f"values-{chart}.txt").decode().splitlines():
        if not line or line.startswith("#"):
            continue
        node = tree
        for part in line.replace(ITEM, f".{ITEM}").split("."):
            node = node.setdefault(part, {})
    return tree


class Unread(Struct, frozen=True):
    """A route inside the values that nothing reads, and the keys that are read beside it."""

    route: Route
    known: tuple[str, ...]


def unread(values: Any, tree: Tree, route: Route = ()) -> Iterator[Unread]:
    """Every key of the values that no template reads."""
    if isinstance(values, dict) and ITEM not in tree and tree:
        for key, value in values.items():
            at = (*route, key)
            if key not in tree:
                yield Unread(at, tuple(name for name in tree if name != ITEM))
            else:
                yield from unread(value, tree[key], at)
    elif isinstance(values, list) and ITEM in tree:
        for index, value in enumerate(values):
            yield from unread(value, tree[ITEM], (*route, index))


def misshapen(values: Any, tree: Tree, route: Route = ()) -> Iterator[tuple[Route, str]]:
    """Values of another shape than the templates read: a text where they look for keys, a map where for a list."""
    if not tree or values is None:
        return
    if ITEM in tree and isinstance(values, list):
        for index, value in enumerate(values):
            yield from misshapen(value, tree[ITEM], (*route, index))
    elif ITEM not in tree and isinstance(values, dict):
        for key, value in values.items():
            yield from misshapen(value, tree.get(key, {}), (*route, key))
    else:
        yield route, "list" if ITEM in tree else "map"


def leaves(value: Any) -> Iterator[tuple[Route, Any]]:
    """Every scalar, empty list and empty map of the values, with its route."""
    return ((at, each) for at, each in nodes(value) if not isinstance(each, dict | list) or not each)


def nodes(value: Any, route: Route = ()) -> Iterator[tuple[Route, Any]]:
    """Every key of the values with its value, maps and lists included, from the outside in."""
    if route:
        yield route, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from nodes(item, (*route, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nodes(item, (*route, index))


def dotted(route: Route) -> str:
    """decode.containers[].env for any of the containers."""
    text = "".join(ITEM if isinstance(part, int) else f".{part}" for part in route)
    return text.removeprefix(".")


def is_below(path: str, top: str) -> bool:
    """Whether a dotted path is `top` or lies below it."""
    return path == top or path.startswith((top + ".", top + ITEM))
