"""A role's pod: the PodSpec that a Deployment or a LeaderWorkerSet repeats."""

from __future__ import annotations

from typing import Any

from llmdgen.findings import Route
from llmdgen.objects.container import init_containers, vllm
from llmdgen.objects.object import DEPLOYMENT, pod_labels
from llmdgen.planning.model import Plan, RolePlan

ACTIVE_PORTS = "llm-d.ai/active-ports"  # by which the scheduler knows a pod that has fewer servers than others


def pod_template(plan: Plan, role: RolePlan, spec: dict[str, Any]) -> dict[str, Any]:
    """The pod template of a role, with its PodSpec."""
    about: dict[str, Any] = {"labels": pod_labels(plan, role.name)}
    annotations = dict(plan.platform[plan.spec.asked.platform]["pod_annotations"])
    if role.ranks < len(plan.target_ports):
        annotations[ACTIVE_PORTS] = ",".join(map(str, plan.target_ports[: role.ranks]))
    if annotations:
        about["annotations"] = annotations
    return {"metadata": about, "spec": spec}


def pod_spec(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """The PodSpec of a role as the plan has it."""
    found: dict[str, Any] = {
        "serviceAccountName": plan.names.account,
        "nodeSelector": role.node_selector,
        "tolerations": [dict(each) for each in plan.tolerations],
    }
    if plan.one_zone and not plan.spec.asked.cluster.zone:
        found["affinity"] = _same_zone(plan)
    if plan.images.pull_secrets:
        found["imagePullSecrets"] = [{"name": name} for name in plan.images.pull_secrets]
    found["terminationGracePeriodSeconds"] = role.life.grace
    starting = init_containers(plan, role)
    if starting:
        found["initContainers"] = starting
    found["containers"] = [vllm(plan, role)]
    found["volumes"] = [{"name": volume.name, **volume.source} for volume in role.volumes]
    return found


def comments(plan: Plan, role: RolePlan) -> dict[Route, str]:
    """What a reviewer would ask about in the PodSpec, by its places."""
    container: Route = ("containers", 0)
    found: dict[Route, str] = {
        ("terminationGracePeriodSeconds",): (
            f"Answers go on for {role.life.shutdown or role.life.pre_stop} s once the pod is asked to end."
        ),
        (*container, "startupProbe"): "Weights take long to arrive and to load; until then only this probe runs.",
    }
    if plan.one_zone and not plan.spec.asked.cluster.zone:
        found[("affinity",)] = "EFA does not leave an availability zone, so every pod of this deployment is in one."
    if role.efa_per_pod:
        text = "EFA registers memory that must not be swapped, and only root's capabilities take effect."
        found[(*container, "securityContext")] = text
    return found


def _same_zone(plan: Plan) -> dict[str, Any]:
    """All pods of the deployment in one zone, whichever the first is in."""
    term = {
        "labelSelector": {"matchLabels": {DEPLOYMENT: plan.spec.name}},
        "topologyKey": plan.platform["zone_label"],
    }
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
