"""The local chart: objects as files that Helm passes on as they stand, and as the rules read them.

Helm reads each file below templates/ as a Go template. The only thing in it that Helm would execute, two opening
braces, is written as an action that prints them, so that a text comes out as it went in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from llmdgen.kube.manifest import CLUSTER_SCOPED, Manifest
from llmdgen.kube.servers import Servers
from llmdgen.objects.object import Object
from llmdgen.planning.model import Plan
from llmdgen.yaml_text import dump

FOLDER = "chart"
NAME = "model-servers"
_ORDER = 2  # the local chart is the second release of helmfile.yaml
_OPENING, _PRINTED = "{{", "{{ `{{` }}"


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
