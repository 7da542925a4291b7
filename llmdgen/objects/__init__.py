"""A plan becomes the Kubernetes objects that llmdgen makes itself: the local chart of a target."""

from __future__ import annotations

from llmdgen.objects.chart import Object
from llmdgen.objects.gateway import gateway, http_route, parameters
from llmdgen.objects.workload import disruption_budget, pod_monitor, render_service, service_account, workload
from llmdgen.planning.model import Plan

_kept: list[tuple[Plan, tuple[Object, ...]]] = []


def objects(plan: Plan) -> tuple[Object, ...]:
    """Every object of a deployment but the router's, which its own chart makes.

    Those of the last plan are kept: a plan is judged, and then written.
    """
    if _kept and _kept[-1][0] is plan:
        return _kept[-1][1]
    _kept[:] = [(plan, _made(plan))]
    return _kept[-1][1]


def _made(plan: Plan) -> tuple[Object, ...]:
    rendering = plan.scheduler.render_service
    return (
        parameters(plan),
        gateway(plan),
        http_route(plan),
        service_account(plan),
        *([render_service(plan, rendering)] if rendering else []),
        *(make(plan, role) for role in plan.roles for make in (workload, pod_monitor, disruption_budget)),
    )
