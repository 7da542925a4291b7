"""A role's workload, a Deployment or, where one server spreads over several pods, a LeaderWorkerSet; and what stands
beside it: account, disruption budget, monitor, and the Service that tokenizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdgen.findings import Route
from llmdgen.kube.merge import Merged, merge
from llmdgen.objects.chart import Object, document, present, selector
from llmdgen.objects.origin import origins
from llmdgen.objects.pod import METRICS_PATH, NAME, comments, pod_spec, pod_template, rank_name
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.untyped import maps

DEADLINE_AFTER_STARTUP = 600  # seconds for pods to be scheduled and images to be pulled
INTERVAL = "30s"  # of Prometheus


def workload(plan: Plan, role: RolePlan) -> Object:
    """The object that keeps a role's pods running."""
    merged = merge(pod_spec(plan, role), plan.spec.role(role.name).pod)
    template = pod_template(plan, role, merged.value)
    spec: dict[str, Any] = {"replicas": role.size.replicas}
    if plan.multinode:
        kind, version, route = "LeaderWorkerSet", "leaderworkerset.x-k8s.io/v1", _IN_GROUP
        spec["rolloutStrategy"] = {"type": "RollingUpdate", "rollingUpdateConfiguration": rollout(plan, role)}
        policy = restart_policy(plan)
        spec["leaderWorkerTemplate"] = present(size=role.size.workers, restartPolicy=policy, workerTemplate=template)
    else:
        kind, version, route = "Deployment", "apps/v1", _IN_DEPLOYMENT
        spec |= {
            "selector": {"matchLabels": selector(plan, role.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": rollout(plan, role)},
            "progressDeadlineSeconds": deadline(role),
            "template": template,
        }
    inside = (*route, "spec")
    own: dict[Route, Route] = {("spec", "replicas"): ("spec", role.name, "replicas")}
    own[("spec", "leaderWorkerTemplate", "size")] = ("spec", role.name, "parallelism", "workers")
    return Object(
        file=f"{role.name}.yaml",
        doc=document(plan, version, kind, plan.names.workload[role.name], spec=spec),
        origin=own | {(*inside, *at): place for at, place in _origins(plan, role, merged).items()},
        comments={_RESTART: _AFTER_START} | {(*inside, *at): text for at, text in comments(plan, role).items()},
    )


def restart_policy(plan: Plan) -> str | None:
    """Whom a restarted pod takes with it, where the release's LeaderWorkerSet can tell a group that loads from one that
    serves. Its default is the whole group, at any time."""
    policy: str | None = plan.release.prerequisites["lws"].get("restart_policy")
    return policy


def deadline(role: RolePlan) -> int:
    """Seconds after which a server that does not start counts as failed."""
    return role.life.startup + DEADLINE_AFTER_STARTUP


def rollout(plan: Plan, role: RolePlan) -> dict[str, int]:
    """One server after the other; a new one first only where the planned nodes have GPUs for it, since otherwise it
    would wait for the old one's for ever."""
    wanted, spare = plan.spec.role(role.name).rollout, int(plan.spare(role))
    surge = spare if wanted.max_surge is None else wanted.max_surge
    missing = (0 if surge else 1) if wanted.max_unavailable is None else wanted.max_unavailable
    return {"maxUnavailable": missing, "maxSurge": surge}


def _origins(plan: Plan, role: RolePlan, merged: Merged) -> dict[Route, Route]:
    """Where in the spec it is decided what stands in the PodSpec: in the role's `pod`, else in the planned field."""
    patched: dict[Route, Route] = {at: ("spec", role.name, "pod", *place) for at, place in merged.origins.items()}
    planned = {at: place for at, place in origins(plan, role, merged.value).items() if not _above(at, patched)}
    return planned | patched | dict(_by_name(merged.value, patched))


def _by_name(spec: dict[str, Any], patched: Mapping[Route, Route]) -> Iterator[tuple[Route, Route]]:
    """Patched variables by their names too, as rules call them."""
    for index, container in maps(spec.get("containers")):
        for place, variable in maps(container.get("env")):
            at: Route = ("containers", index, "env", place, "value")
            told = _above(at, patched)
            if told:
                yield (*at[:3], str(variable.get("name"))), told


def _above(at: Route, patched: Mapping[Route, Route]) -> Route:
    """Where the patch set what a place lies in, () where it did not."""
    return next((patched[at[:length]] for length in range(len(at), 0, -1) if at[:length] in patched), ())


def service_account(plan: Plan) -> Object:
    """The account of the model servers, of which nothing speaks to Kubernetes."""
    doc = document(plan, "v1", "ServiceAccount", plan.names.account, automountServiceAccountToken=False)
    return Object(file="service-account.yaml", doc=doc)


def disruption_budget(plan: Plan, role: RolePlan) -> Object:
    """One server at a time: all pods of one where it spreads over several, since one lost pod ends its group. Never
    none, which would block the drain of a node for ever."""
    spec = {"maxUnavailable": role.size.workers, "selector": {"matchLabels": selector(plan, role.name)}}
    doc = document(plan, "policy/v1", "PodDisruptionBudget", plan.names.workload[role.name], spec=spec)
    return Object(file=f"{role.name}-disruption-budget.yaml", doc=doc)


def pod_monitor(plan: Plan, role: RolePlan) -> Object:
    """What Prometheus scrapes of a role's pods: vLLM's metrics."""
    ports = (rank_name(NAME, rank) for rank in range(role.ranks))
    spec = {
        "selector": {"matchLabels": selector(plan, role.name)},
        "podMetricsEndpoints": [{"port": port, "path": METRICS_PATH, "interval": INTERVAL} for port in ports],
    }
    doc = document(plan, "monitoring.coreos.com/v1", "PodMonitor", plan.names.workload[role.name], spec=spec)
    doc["metadata"]["labels"] = plan.spec.asked.monitoring.labels | doc["metadata"]["labels"]
    origin: dict[Route, Route] = {("metadata", "labels"): ("spec", "monitoring", "labels")}
    return Object(file=f"{role.name}-monitor.yaml", doc=doc, origin=origin)


def render_service(plan: Plan, name: str) -> Object:
    """The Service behind which decode servers turn prompts into tokens for the scheduler. The port is named, because
    behind a routing sidecar it is another number."""
    ports = [{"name": "http", "port": plan.engine["ports"]["service"], "targetPort": NAME}]
    spec = {"selector": selector(plan, "decode"), "ports": ports}
    return Object(file="render-service.yaml", doc=document(plan, "v1", "Service", name, spec=spec))


_RESTART: Route = ("spec", "leaderWorkerTemplate", "restartPolicy")
_AFTER_START = "A pod that restarts while its group still loads does not throw away what the others have loaded."
_IN_DEPLOYMENT: Route = ("spec", "template")
_IN_GROUP: Route = ("spec", "leaderWorkerTemplate", "workerTemplate")
