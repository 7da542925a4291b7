"""A plan's objects as the rules read them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from llmdgen.kube.manifest import CLUSTER_SCOPED, Manifest
from llmdgen.kube.servers import Servers
from llmdgen.objects.chart import FOLDER
from llmdgen.objects.object import Object
from llmdgen.planning.model import Plan

_ORDER = 2  # the local chart is the second release of helmfile.yaml


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
