"""A Kubernetes object on its way into the local chart, and the labels by which others find it."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from msgspec import Struct

from llmdgen.composition.names import RoleName
from llmdgen.findings import Route
from llmdgen.planning.model import Plan

DEPLOYMENT = "llm-d.ai/deployment"
ROLE = "llm-d.ai/role"
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


def metadata(plan: Plan, name: str) -> dict[str, Any]:
    """Name, namespace and the label by which all objects of a deployment are found."""
    return {"name": name, "namespace": plan.names.namespace, "labels": {DEPLOYMENT: plan.spec.name}}


def document(plan: Plan, version: str, kind: str, name: str, **body: Any) -> dict[str, Any]:
    """An object of the deployment: what all have, and the rest of it."""
    return {"apiVersion": version, "kind": kind, "metadata": metadata(plan, name), **body}


def pod_labels(plan: Plan, role: RoleName) -> dict[str, str]:
    """All labels of a role's pods."""
    return plan.labels | {ROLE: role}


def selector(plan: Plan, role: RoleName) -> dict[str, str]:
    """The labels that tell a role's pods from all others. Kubernetes never lets a workload's selector change, so it
    holds nothing that a spec may change."""
    return {DEPLOYMENT: plan.spec.name, ROLE: role}


def pool_selector(plan: Plan) -> dict[str, str]:
    """The labels by which the pool finds the model servers of both roles."""
    return {DEPLOYMENT: plan.spec.name, "llm-d.ai/inference-serving": "true"}
