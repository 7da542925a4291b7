"""A plan becomes the Kubernetes objects that llmdgen makes itself: the local chart of a target."""

from __future__ import annotations

from llmdgen.objects.disruption import disruption_budget
from llmdgen.objects.gateway import gateway, parameters
from llmdgen.objects.labels import metadata
from llmdgen.objects.monitoring import pod_monitor
from llmdgen.objects.object import Object
from llmdgen.objects.render_service import render_service
from llmdgen.objects.route import http_route
from llmdgen.objects.workload import workload
from llmdgen.planning.model import Plan


def objects(plan: Plan) -> tuple[Object, ...]:
    """Every object of a deployment but the router's, which its own chart makes."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(plan, plan.names.account),
        "automountServiceAccountToken": False,  # nothing in a model server speaks to Kubernetes
    }
    rendering = plan.scheduler.render_service
    return (
        parameters(plan),
        gateway(plan),
        http_route(plan),
        Object(file="service-account.yaml", doc=account),
        *([render_service(plan, rendering)] if rendering else []),
        *(make(plan, role) for role in plan.roles for make in (workload, pod_monitor, disruption_budget)),
    )
