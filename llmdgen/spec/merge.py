"""A document over its base: maps merge, everything else replaces, null deletes. Each value keeps its place.

Where the base has no such key, null deletes nothing. Under `args` and `values` it then stays, since it has a meaning to
their readers; elsewhere it is idle, and probably a key misspelt. Inside `pod` null always stays, whatever the base
says: there it deletes from the pod that llmdgen makes, in every file alike.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from llmdgen.findings import Route
from llmdgen.spec.document import Parsed


class Idle(Struct, frozen=True):
    """A null that deletes nothing; `known` are the keys that the base has beside it."""

    at: Route
    known: tuple[str, ...]


def merge(base: Parsed, over: Parsed) -> tuple[Parsed, tuple[Idle, ...]]:
    """The mapping `over` on top of the mapping `base`, and the nulls in it that delete nothing.

    Keys come in the order of the base, then those that it lacks. A mapping that both have stands where `over` has it.
    Neither document is changed, and lists may be shared with them.
    """
    replaced: set[Route] = set()  # values of the base that are there no more
    deleted: set[Route] = set()
    idle: list[Idle] = []

    def mapping(below: dict[str, Any], above: dict[str, Any], at: Route) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for key in below | above:
            route, value = (*at, key), above.get(key)
            if key not in above:
                merged[key] = below[key]
            # A null in a damaged place stands for a value that could not be read, and deletes nothing.
            elif value is None and route not in over.damaged and not _takes_null(route, key in below):
                deleted.add(route)
                replaced.add(route)
                if key not in below:
                    idle.append(Idle(route, tuple(below)))
            elif isinstance(value, dict):
                inner = below.get(key)
                if not isinstance(inner, dict):
                    replaced.add(route)
                merged[key] = mapping(inner if isinstance(inner, dict) else {}, value, route)
            else:
                replaced.add(route)
                merged[key] = value
        return merged

    data = mapping(base.data, over.data, ())
    of_base = {
        at: place
        for at, place in base.places.items()
        if replaced.isdisjoint(at[:length] for length in range(len(at) + 1))
    }
    of_over = {at: place for at, place in over.places.items() if at not in deleted}
    return Parsed(over.path, over.index, data, of_base | of_over, base.damaged | over.damaged), tuple(idle)


def _takes_null(route: Route, is_in_base: bool) -> bool:
    """Whether null stays, having a meaning to its reader."""
    if len(route) > 3 and route[2] == "pod":
        return True
    return not is_in_base and (route[:2] == ("spec", "values") or route[2:3] == ("args",))
