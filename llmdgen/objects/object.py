"""A Kubernetes object on its way into the local chart."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from llmdgen.findings import Route


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

    def spec_route(self, at: Route) -> Route:
        """The place in the spec that decides about a place in the object; () where llmdgen decides alone."""
        for length in range(len(at), -1, -1):
            if at[:length] in self.origin:
                return self.origin[at[:length]]
        return ()
