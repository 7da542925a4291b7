"""What a step from one plan to another does to the cluster: as `llmdgen diff` says it, and as it happened."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from llmdgen.diff.fold import difference
from llmdgen.diff.reading import Files
from llmdgen.diff.step import Consequence
from llmdgen.objects.chart import ROLE
from llmdgen.planning.model import Plan
from llmdgen.rendering.files import files
from llmdgen.spec.fields import ROLES

from .api import Object
from .deployment import Deployment

LWS, DEPLOYMENT = "LeaderWorkerSet", "Deployment"


class Outcome(Struct, frozen=True, kw_only=True):
    """What can be seen of a step without a gateway's controller.

    `refused` says that helm stops at an immutable field. Of the roles, `restarted` have new pods and the same workload,
    `replaced` another workload, `started` and `stopped` are new or gone, `grown` have so many replicas more. `pending`
    says that pods find no place until there are the planned nodes, labels and claims, `waits` that they find none then.
    """

    refused: bool = False
    restarted: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    started: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()
    grown: frozenset[tuple[str, int]] = frozenset()
    scheduler: bool = False
    gateway: bool = False
    beside: bool = False
    pending: bool = False
    waits: bool = False


def consequences(old: Plan, new: Plan) -> list[Consequence]:
    """All that `llmdgen diff` says to follow of a step."""
    sides = [{(plan.spec.name, plan.target): Files(files(plan), plan.spec.name)} for plan in (old, new)]
    return [each for section in difference(*sides).sections for each in section.consequences]


def needed_classes(old: Plan, new: Plan) -> list[str]:
    """The PriorityClasses that it says must exist."""
    found = (re.match(r"the PriorityClass (\S+) must exist", each.says) for each in consequences(old, new))
    return [each[1] for each in found if each]


def predicted(old: Plan, new: Plan) -> Outcome:
    """What `llmdgen diff` says of a step."""
    said = consequences(old, new)

    def roles(text: str) -> frozenset[str]:
        return frozenset(role for each in said if re.search(text, each.says) for role in each.roles)

    def is_said(text: str) -> bool:
        return any(re.search(text, each.says) for each in said)

    grown = {
        (role, int(match[1]) * (1 if match[2] == "start" else -1))
        for each in said
        if (match := re.match(r"(\d+) \{roles\} (?:pod|replica)s? (start|stop)", each.says))
        for role in each.roles
    }
    return Outcome(
        refused=is_said("is immutable, so `helmfile apply` fails|`helmfile apply` over the old one does not"),
        restarted=roles(r"^\{roles\} pods restart"),
        replaced=roles(r"of \{roles\} is deleted, and"),
        started=roles(r"^all \{roles\} pods start"),
        stopped=roles(r"^all \{roles\} pods stop"),
        grown=frozenset(grown),
        scheduler=is_said("^the scheduler restarts"),
        gateway=is_said("^another Gateway takes the place"),
        beside=is_said("^a new deployment beside the old one"),
        pending=is_said(r"nodes? needed$|stay Pending without one|^the claim \S+ must exist|waits for room"),
        waits=is_said("waits for room"),
    )


class Seen(Struct, frozen=True):
    """The state of a deployment on the cluster, as far as a step can change it."""

    pods: dict[str, frozenset[str]]
    workloads: dict[str, tuple[str, str]]
    replicas: dict[str, int]
    schedulers: frozenset[str]
    gateways: frozenset[str]


def seen(deployment: Deployment) -> Seen:
    """How a deployment is now."""
    found = deployment.api.everything(deployment.namespace)
    pods = [each for each in found if each["kind"] == "Pod" and "deletionTimestamp" not in each["metadata"]]
    workloads = {role_of(each): each for each in found if each["kind"] in (LWS, DEPLOYMENT) and role_of(each)}
    return Seen(
        {role: frozenset(uids(pod for pod in pods if role_of(pod) == role)) for role in ROLES},
        {role: (each["kind"], each["metadata"]["uid"]) for role, each in workloads.items()},
        {role: each["spec"]["replicas"] for role, each in workloads.items()},
        frozenset(uids(pod for pod in pods if not role_of(pod))),
        frozenset(uids(each for each in found if each["kind"] == "Gateway")),
    )


def observed(before: Seen, after: Seen, *, refused: bool, pending: bool, waits: bool) -> Outcome:
    """What a step did."""
    both = before.workloads.keys() & after.workloads.keys()
    replaced = {role for role in both if before.workloads[role] != after.workloads[role]}
    restarted = {role for role in both - replaced if not before.pods[role] & after.pods[role]}
    if waits:  # the update has begun, and cannot go on
        restarted |= {role for role in both - replaced if before.pods[role] != after.pods[role]}
    stay = both - replaced - restarted
    grown = {(role, after.replicas[role] - before.replicas[role]) for role in stay}
    return Outcome(
        refused=refused,
        restarted=frozenset(restarted),
        replaced=frozenset(replaced),
        started=frozenset(after.workloads.keys() - before.workloads.keys()),
        stopped=frozenset(before.workloads.keys() - after.workloads.keys()),
        grown=frozenset(each for each in grown if each[1]),
        scheduler=bool(before.schedulers) and not before.schedulers & after.schedulers,
        gateway=bool(before.gateways) and not before.gateways & after.gateways,
        pending=pending,
        waits=waits,
    )


def role_of(thing: Object) -> str:
    """The role of a pod, or of the pods of a workload; "" for any other."""
    spec: dict[str, Any] = thing.get("spec", {})
    template = spec.get("template") or spec.get("leaderWorkerTemplate", {}).get("workerTemplate") or {}
    labels = (template if thing["kind"] in (LWS, DEPLOYMENT) else thing).get("metadata", {}).get("labels") or {}
    return str(labels.get(ROLE, ""))


def uids(found: Iterable[Object]) -> list[str]:
    """What tells an object from another of the same name."""
    return [each["metadata"]["uid"] for each in found]
