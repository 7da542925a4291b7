"""The local chart: Kubernetes objects as data, the labels by which others find them, and files that Helm passes on.

Helm reads each file below templates/ as a Go template. The only thing in it that Helm would execute, two opening
braces, is written as an action that prints them, so that a text comes out as it went in.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from llmdgen.composition.names import RoleName
from llmdgen.findings import Route
from llmdgen.kube.servers import Servers
from llmdgen.kube.workload import CLUSTER_SCOPED, Manifest
from llmdgen.planning.model import Plan
from llmdgen.yaml_text import dump

FOLDER = "chart"
NAME = "model-servers"
_ORDER = 2  # the local chart is the second release of helmfile.yaml
_OPENING, _PRINTED = "{{", "{{ `{{` }}"
DEPLOYMENT = "llm-d.ai/deployment"
ROLE = "llm-d.ai/role"
PART = "pod"  # the field of a role that is a part of its PodSpec
_SECTION = 2  # the length of a route to a whole section of a spec


def chart_files(objects: Iterable[Object], release: str) -> dict[str, str]:
    """The files of the chart, by their paths in the target; `release` is the llm-d release."""
    about = {
        "apiVersion": "v2",
        "name": NAME,
        "description": "Model servers, Gateway and route, as they are applied; Helm fills nothing in.",
        "version": release.removeprefix("v"),
    }
    texts = {f"templates/{each.file}": passed_on(dump(each.doc, each.comments)) for each in objects}
    return {f"{FOLDER}/{name}": text for name, text in {"Chart.yaml": dump(about), **texts}.items()}


def passed_on(text: str) -> str:
    """A text that Helm prints as the one given."""
    return text.replace(_OPENING, _PRINTED)


def as_printed(text: str) -> str:
    """What Helm prints of a text that `passed_on` wrote."""
    return text.replace(_PRINTED, _OPENING)


def servers_of(plan: Plan, objects: Sequence[Object]) -> Servers:
    """The objects as manifests of the local chart's release, with what the plan knows beside them."""
    return Servers(
        [_manifest(plan, each) for each in objects],
        plan.release,
        attached={role.name: role.node.efa for role in plan.roles},
        facts=plan.model,
        origins={str(each): partial(each.spec_route, places=plan.spec.places) for each in objects},
    )


def _manifest(plan: Plan, made: Object) -> Manifest:
    doc = made.doc
    namespace = "" if doc["kind"] in CLUSTER_SCOPED else doc["metadata"]["namespace"]
    source = f"{FOLDER}/templates/{made.file}"
    return Manifest(plan.names.servers, _ORDER, source, doc["apiVersion"], doc["kind"], made.name, namespace, doc)


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


def document(plan: Plan, version: str, kind: str, name: str, **body: Any) -> dict[str, Any]:
    """An object of the deployment, with the label by which all of them are found."""
    metadata = {"name": name, "namespace": plan.names.namespace, "labels": {DEPLOYMENT: plan.spec.name}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


def present(**fields: Any) -> dict[str, Any]:
    """The fields that have a value: not None, false or empty."""
    return {name: value for name, value in fields.items() if value}


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
