"""What stands beside the workloads: account, disruption budget, monitor, and the Service that tokenizes."""

from __future__ import annotations

from llmdgen.findings import Route
from llmdgen.objects.container import METRICS_PATH, NAME, rank_name
from llmdgen.objects.object import Object, document, selector
from llmdgen.planning.model import Plan, RolePlan

INTERVAL = "30s"  # of Prometheus


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
