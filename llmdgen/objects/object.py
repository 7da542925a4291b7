"""A Kubernetes object on its way into the local chart."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from msgspec import Struct

from llmdgen.findings import Route

PART = "pod"  # the field of a role that is a part of its PodSpec
_SECTION = 2  # the length of a route to a whole section of a spec


class Object(Struct, frozen=True, kw_only=True):
    """An object as data, and the name of its file below chart/templates/.

    `origin` leads from a place in the object to the place in the spec that decides about it; what lies below a place
    belongs to it too. `comments` stand above the places that they are about.
    """

    file: str
    doc: dict[str, Any]
    origin: dict[Route, Route] = {}
    comments: dict[Route, str] = {}

    @property
    def name(self) -> str:
        name: str = self.doc["metadata"]["name"]
        return name

    def __str__(self) -> str:
        return f"{self.doc['kind']}/{self.name}"

    def spec_route(self, at: Route, places: Container[Route] = ()) -> Route:
        """The place in the spec that decides about a place in the object; () where llmdgen decides alone.

        Where the spec has the same inside as the object, as a flag's map or a list of tolerations, the way goes on as
        far as `places` of the spec hold it. A place about which nothing decides as a whole belongs to the part of a
        PodSpec that is about something in it.
        """
        length = next((each for each in range(len(at), -1, -1) if at[:each] in self.origin), 0)
        route = self.origin.get(at[:length], ())
        if len(route) <= _SECTION:
            inside = (to for place, to in self.origin.items() if place[: len(at)] == at and PART in to)
            return next(inside, route)
        for key in at[length:]:
            if (*route, key) not in places:
                break
            route = (*route, key)
        return route
