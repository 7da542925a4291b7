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
from llmdgen.spec.places import Places
from llmdgen.spec.text_blocks import is_block


class Idle(Struct, frozen=True):
    """A null that deletes nothing; `known` are the keys that the base has beside it."""

    at: Route
    known: tuple[str, ...]


def merge(base: Parsed, over: Parsed) -> tuple[Parsed, tuple[Idle, ...]]:
    """The mapping `over` on top of the mapping `base`, and the nulls in it that delete nothing.

    Keys come in the order of the base, then those that it lacks. A mapping that both have stands where `over` has it.
    Neither document is changed, and lists may be shared with them.
    """
    merging = _Merging(base, over)
    data = merging.mapping(base.data, over.data, ())
    merged = Parsed(over.path, over.index, data, merging.places, base.damaged | over.damaged)
    return merged, tuple(merging.idle)


class _Merging:
    """Both documents, and what has been collected on the way: the places, and the idle nulls."""

    def __init__(self, base: Parsed, over: Parsed) -> None:
        self.base = base
        self.over = over
        self.places: Places = {}
        self.idle: list[Idle] = []

    def mapping(self, base: dict[str, Any], over: dict[str, Any], at: Route) -> dict[str, Any]:
        self._keep(self.over.places, at)
        merged: dict[str, Any] = {}
        for key, value in base.items():
            route = (*at, key)
            if key not in over:
                merged[key] = self._taken(value, self.base.places, route)
            elif _is_in_a_pod(route) or not self._deletes(over[key], route):
                merged[key] = self._one(value, over[key], route)
        for key, value in over.items():
            route = (*at, key)
            if key in base:
                continue
            if self._deletes(value, route) and not _takes_null(route):
                self.idle.append(Idle(route, tuple(base)))
            else:
                merged[key] = self._one(None, value, route)
        return merged

    def _one(self, base: Any, over: Any, at: Route) -> Any:
        if isinstance(over, dict):
            return self.mapping(base if isinstance(base, dict) else {}, over, at)
        return self._taken(over, self.over.places, at)

    def _taken(self, value: Any, places: Places, at: Route) -> Any:
        """A value as it is, with its places."""
        self._keep(places, at)
        if isinstance(value, dict | list):
            for key, each in value.items() if isinstance(value, dict) else enumerate(value):
                self._taken(each, places, (*at, key))
        elif is_block(at):
            self.places |= {inner: place for inner, place in places.items() if inner[: len(at)] == at}
        return value

    def _keep(self, places: Places, at: Route) -> None:
        if at in places:
            self.places[at] = places[at]

    def _deletes(self, value: Any, route: Route) -> bool:
        """Whether a value is a null that somebody wrote, not what stands for one that could not be read."""
        return value is None and route not in self.over.damaged


def _takes_null(route: Route) -> bool:
    return route[:2] == ("spec", "values") or route[2:3] == ("args",) or _is_in_a_pod(route)


def _is_in_a_pod(route: Route) -> bool:
    return len(route) > 3 and route[2] == "pod"
