"""What SUMMARY.md says of keeping a deployment running: lost nodes, rollouts, drains, full tiers, quiet streams."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.composition.contribution import Tier
from llmdgen.objects.launch import OWN_SECONDS, SHARED_SECONDS
from llmdgen.objects.workload import deadline, restart_policy, rollout
from llmdgen.planning.model import Plan, RolePlan

BOUNDED = "LMCacheConnectorV1"  # the connector whose disk tier keeps to a size


def keep_running(plan: Plan) -> Iterator[str]:
    """One sentence or two for each thing that a person on call has to know, each true of what is rendered."""
    for role in plan.roles:
        yield f"Lost node, {role.name}: {_lost(plan, role)}"
        yield f"Rollout, {role.name}: {_rollout(plan, role)}"
    ends = ", ".join(f"{role.life.shutdown or role.life.pre_stop} s in {role.name}" for role in plan.roles)
    yield f"Drain: a pod that is asked to end goes on with its answers for at most {ends}; longer ones are cut."
    if plan.transfers:
        yield (
            "A prefill pod that ends takes KV cache with it that decode has not read yet. Engines of different vLLM"
            " versions refuse each other's transfers: deploy a new one beside this one (llmdgen upgrade prints how)."
        )
    yield _scheduler(plan)
    yield from map(_full, (tier for tier in plan.tiers if tier.name != "cpu"))
    if plan.gateway.service_type == "LoadBalancer":
        given = plan.gateway.annotations.items()
        idle = next((value for key, value in given if "/aws-load-balancer-listener-attributes" in key), "")
        if not idle:
            yield "Quiet streams: the load balancer of EKS Auto Mode cuts one that is silent for 350 s."
        else:
            seconds = idle.rpartition("=")[2]
            yield f"Quiet streams: the load balancer cuts one that is silent for {seconds} s (gateway.idleTimeout)."


def _lost(plan: Plan, role: RolePlan) -> str:
    if role.size.workers > 1:
        loading = " While the group still loads, it alone starts anew." if restart_policy(plan) else ""
        return f"one lost pod restarts its whole group of {role.size.workers}, which loads the weights again.{loading}"
    gone = min(role.pods, role.pods_per_node)
    which = "the pod" if role.pods == 1 else f"{gone} of {role.pods} pods"
    return f"{which} on it must start anew on a node of {role.node.label} with room, and stays Pending without one."


def _rollout(plan: Plan, role: RolePlan) -> str:
    how = rollout(plan, role)
    if how["maxSurge"]:
        first = "a new server starts before an old one ends, because the plan leaves room for it"
    elif role.size.replicas == 1:
        first = "the only server ends before the new one starts, and nothing serves in between"
    else:
        first = f"{how['maxUnavailable']} of {role.size.replicas} servers at a time ends before a new one starts"
    late = "" if plan.multinode else f", and after {deadline(role) / 60:g} the rollout counts as failed"
    return f"{first}; it may take {role.life.startup / 60:g} minutes to start{late}."


def _scheduler(plan: Plan) -> str:
    mode = plan.release.pool_failure_mode
    without = "the gateway spreads requests at random" if mode == "FailOpen" else "the gateway refuses requests"
    return f"Scheduler: while none is ready, {without} ({mode}); a change of its configuration restarts it."


def _full(tier: Tier) -> str:
    if tier.connector != BOUNDED:
        looks = f"{OWN_SECONDS if tier.name == 'disk' else SHARED_SECONDS} s"
        return f"Full {tier.name} tier: each pod deletes every {looks} what was written first, until its size is kept."
    if tier.name == "disk":
        return "Full disk tier: LMCache keeps to its size and evicts; a pod empties its directory when it starts."
    return "Full storage tier: nothing evicts from the claim. Delete files by age, or the writes fail once it is full."
