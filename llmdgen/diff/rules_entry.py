"""What becomes of the way in: gateway, load balancer, scheduler and pool."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.diff.deployment import ROUTER
from llmdgen.diff.router import FAILURE_MODE
from llmdgen.diff.state import State
from llmdgen.diff.step import (
    SCHEDULER_CONFIG_TOPICS,
    SCHEDULER_POD_TOPICS,
    SOURCE_RANGES,
    Consequence,
    Step,
    number,
)
from llmdgen.planning.gateway import PORT as GATEWAY_PORT

_LISTENER_PORT = re.compile(r"listeners\[0\]\.port$")


def scheduler_restarts(step: Step) -> Iterator[Consequence]:
    """The scheduler's Deployment is Recreate, and its pool says what becomes of requests meanwhile. More than one
    replica adds leader election."""
    if step.is_new:
        return
    counts = step.changed("scheduler", ("replicas",))
    elects = any((number(each.old) > 1) != (number(each.new) > 1) for each in counts)
    if step.changed("scheduler", SCHEDULER_POD_TOPICS) or step.changed("pool", ("pod",)) or elects:
        yield Consequence(
            "interrupts",
            f"the scheduler restarts (Recreate): requests {_without_scheduler(step.old)} until it is ready again, "
            "and its prefix index is lost",
        )
    elif step.changed("scheduler", SCHEDULER_CONFIG_TOPICS):
        name = f"{step.new.text('deployment', 'name', f'release {ROUTER}').lower()[:40]}-epp"
        namespace = step.new.namespace
        yield Consequence(
            "note",
            "the scheduler reads its plugins only at start: after the apply "
            f"`kubectl -n {namespace} rollout restart deployment/{name}`",
        )


def pool_fails(step: Step) -> Iterator[Consequence]:
    """The InferencePool says what the Gateway does with a request that nobody picks a pod for."""
    if step.changed(FAILURE_MODE.subject, (FAILURE_MODE.topic,)) and (
        step.old.facts.get(FAILURE_MODE) != step.new.facts.get(FAILURE_MODE)
    ):
        yield Consequence("note", f"from now on requests {_without_scheduler(step.new)} while no scheduler is ready")


def _without_scheduler(state: State) -> str:
    is_open = state.facts.get(FAILURE_MODE) == "FailOpen"
    return (
        "go to any pod of the pool, prefill or decode,"
        if is_open and state.has("prefill")
        else ("go to any pod of the pool" if is_open else "fail")
    )


def pool_selects(step: Step) -> Iterator[Consequence]:
    """The pool finds pods by labels and talks to them on its ports."""
    if step.is_new:
        return
    if step.changed("pool", ("label",)):
        yield Consequence("interrupts", "the pool finds only pods with the new labels")
    if step.changed("pool", ("port",)):
        yield Consequence("interrupts", "requests fail between the change of the pool's ports and the pods' restart")


def reachable_from_the_internet(step: Step) -> Iterator[Consequence]:
    """vLLM asks nobody who they are."""
    before, after = (state.text("gateway", "annotation", "load balancer scheme") for state in (step.old, step.new))
    ranges = [state.text("gateway", "annotation", SOURCE_RANGES) for state in (step.old, step.new)]
    if after == "internet-facing" and (before != after or ranges[0] != ranges[1]):
        whom = f"from {ranges[1]}" if ranges[1] else "from everywhere, unless security groups say otherwise"
        yield Consequence(
            "exposes", f"the model API, which has no authentication, is reachable from the internet, {whom}"
        )


def gateway_provider(step: Step) -> Iterator[Consequence]:
    """Another class is another controller, with a Service and an address of its own; what the old one made belongs to
    the Gateway, which stays. Istio writes a Gateway's annotations into its proxy's pods too."""
    if step.is_new:
        return
    for each in step.changed("gateway", ("provider",)):
        yield Consequence("breaks", "another controller makes the Gateway anew: its address changes")
        yield Consequence(
            "note", f"the Service and the proxy that {each.old} made may stay: look for them, and delete them"
        )
        return
    if any(each.key.name == "Gateway metadata.name" for each in step.changed("gateway", ("value",))):
        yield Consequence("breaks", "another Gateway takes the place of the old one: its address changes")
        return
    rolls = step.changed("gateway", ("parameter",))
    is_istio = step.new.text("gateway", "provider", "class") == "istio"
    if rolls or (is_istio and step.changed("gateway", ("annotation",))):
        yield Consequence("interrupts", "the Gateway's proxy is rolled: long streams through the old pod are cut")


def listeners(step: Step) -> Iterator[Consequence]:
    """The Gateway's port is part of every client's URL; llmdgen makes one listener, on port 80."""
    if step.is_new:
        return
    for each in step.changed("gateway", ("value",)):
        if _LISTENER_PORT.search(each.key.name) and each.new is not None and (each.old or GATEWAY_PORT) != each.new:
            yield Consequence(
                "breaks", f"clients must use port {each.new} of the Gateway, no longer {each.old or GATEWAY_PORT}"
            )


def load_balancer(step: Step) -> Iterator[Consequence]:
    """The AWS load balancer controller replaces what AWS cannot change."""
    if step.is_new:
        return
    services = step.changed("gateway", ("service",))
    for each in services:
        if "LoadBalancer" in (each.old, each.new):
            made = each.new == "LoadBalancer"
            says = "a load balancer is made" if made else "the load balancer and its DNS name go"
            yield Consequence("note" if made else "breaks", f"{says} (Service type {each.old} -> {each.new})")
        else:
            yield Consequence("interrupts", f"the Gateway's Service becomes {each.new}")
    if services:
        return
    for each in step.changed("gateway", ("annotation",)):
        what = each.key.name.removeprefix("load balancer ")
        if what == "scheme":
            yield Consequence("breaks", f"the load balancer is replaced ({what} changed): its DNS name is a new one")
        elif what == "type":
            yield Consequence(
                "breaks",
                "the type of a Service that exists must not change: the load balancer may be left behind or exposed; "
                "delete the Gateway first",
            )
        elif what == "nlb-target-type":
            yield Consequence("interrupts", "the load balancer's target groups are replaced: open connections are cut")
        elif what == "name":
            yield Consequence("note", "a load balancer that exists keeps its name")
