"""The kinds that a cluster of a release serves: CustomResourceDefinitions as upstream has them, and the rest open."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from typing import Any

from llmdgen.facts import catalogue
from llmdgen.facts.types import Release
from llmdgen.plain_yaml import load_all
from llmdgen.prerequisites.facts import prerequisites

from .api import Api, Object
from .control_plane import ControlPlane
from .programs import WEBHOOKS, crds_of

LWS = "leaderworkersets.leaderworkerset.x-k8s.io"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SERVED = "llmdgen.dev/release"  # a label: the release whose definition it is
NEWEST = catalogue.release_names()[-1]


@cache
def definitions(name: str) -> tuple[Object, ...]:
    """Every CustomResourceDefinition that the prerequisites of a release of that name ask for."""
    return tuple(_definitions(catalogue.release(name)))


def _definitions(release: Release) -> Iterator[Object]:
    wanted = {kind.name: kind.version for kind in prerequisites(release).kinds}
    for file in sorted(crds_of(release.name).glob("*.yaml")):
        for document in load_all(file.read_text("utf-8")):
            if document and document["kind"] == "CustomResourceDefinition":
                asked = wanted.pop(document["metadata"]["name"], None) is not None
                if asked or not document["spec"]["group"].endswith("istio.io"):
                    yield document
    # No Go module has the kinds of the load balancer controller and of gateways that are not Istio: they take anything.
    for name, version in wanted.items():
        plural, _, group = name.partition(".")
        yield open_definition(group, version, plural, plural.capitalize())
    for gateway in catalogue.release_toml(release.name, "gateways.toml").values():
        parameters = gateway.get("parameters", {}) if isinstance(gateway, dict) else {}
        if parameters.get("group"):
            kind = parameters["kind"]
            yield open_definition(parameters["group"], parameters["version"], kind.lower(), kind)


def open_definition(group: str, version: str, plural: str, kind: str) -> Object:
    """The definition of a kind whose objects may hold anything."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": plural, "kind": kind},
            "scope": "Namespaced",
            "versions": [served],
        },
    }


def serve(api: Api, release: Release) -> None:
    """Let the cluster serve the kinds of a release, whichever it served before.

    LeaderWorkerSet stays that of the controller that runs.
    """
    there = {each["metadata"]["name"]: each for each in api.items(CRDS)}
    for document in definitions(release.name):
        name = document["metadata"]["name"]
        has = there[name]["metadata"].get("labels", {}).get(SERVED) if name in there else None
        if has != release.name and (name != LWS or release.name == NEWEST):
            marked = {**document["metadata"], "labels": {SERVED: release.name}}
            api.apply({**document, "metadata": marked})
    api.forget()


def ask_lws(plane: ControlPlane) -> None:
    """Let the API server ask the LeaderWorkerSet controller's webhooks, where it listens on this machine."""
    certificate = base64.b64encode((plane.folder / "tls.crt").read_bytes()).decode()
    for document in load_all((crds_of(NEWEST) / WEBHOOKS).read_text("utf-8")):
        for webhook in document["webhooks"]:
            path: Any = webhook["clientConfig"].pop("service")["path"]
            webhook["clientConfig"] = {
                "url": f"https://127.0.0.1:{plane.webhook_port}{path}",
                "caBundle": certificate,
            }
            if path.endswith("-pod"):  # as the controller's own manifests narrow it
                named = {"key": "leaderworkerset.sigs.k8s.io/name", "operator": "Exists"}
                webhook["objectSelector"] = {"matchExpressions": [named]}
        plane.api.apply(document)
