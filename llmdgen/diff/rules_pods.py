"""What becomes of the model servers' pods, and what they need around them: nodes, claims, a Secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.diff.rollout import rollout
from llmdgen.diff.servers import GROUPS
from llmdgen.diff.state import ROLES, State, exact, template_of
from llmdgen.diff.step import CLAIM, INSTANCE_LABEL, SHARED_CACHE, Consequence, Step, number

_SECRET = re.compile(r"\.secretKeyRef\.name$|\.secretRef\.name$|\.secret\.secretName$|imagePullSecrets\[\d+\]\.name$")


def workload_is_another(step: Step) -> Iterator[Consequence]:
    """Helm makes the objects of another kind or name, then deletes those that the chart no longer has."""
    for role in ROLES:
        if step.replaces(role):
            kinds = [state.text(role, "workload", "kind") for state in (step.old, step.new)]
            names = [state.text(role, "name", "name") for state in (step.old, step.new)]
            says = f"the {kinds[0]} of {{roles}} is deleted, and "
            says += f"a {kinds[1]} takes its place" if kinds[0] != kinds[1] else f"{names[1]} takes its place"
            yield Consequence("interrupts", f"{says}: their pods all stop, and new ones start", (role,))


def roles_come_and_go(step: Step) -> Iterator[Consequence]:
    """A role that appears or goes changes how requests are served."""
    for role in ROLES:
        for each in step.changed(role, ("presence",)):
            does = "start" if each.old is None else "stop"
            yield Consequence("interrupts", f"all {{roles}} pods {does}", (role,))


def pods_restart(step: Step) -> Iterator[Consequence]:
    """A changed pod template replaces every pod, as the workload's strategy says."""
    if step.is_new:
        return
    for role in ROLES:
        if not step.restarts(role) or step.replaces(role) or step.refused(role):
            continue
        how = rollout(step.new, role)
        # A Deployment that grows keeps its old pods until enough of the new ones are ready.
        there = int((step.old if how.unit == "group" else step.new).number(role, "replicas", "replicas"))
        yield Consequence("interrupts", f"{{roles}} pods restart, {how.says}; their prefix caches are lost", (role,))
        if there and how.missing >= there:
            one = "the only {roles} " + how.unit if there == 1 else "every {roles} " + how.unit
            yield Consequence(
                "interrupts", f"{one} goes before its successor starts: nothing serves (downtime)", (role,)
            )
        else:
            yield from _update_waits(step, role, how.missing)


def _update_waits(step: Step, role: str, missing: int) -> Iterator[Consequence]:
    """An update starts new pods beside the old ones but for those that may be missing meanwhile; where the nodes have
    no room for the first, it waits for ever."""
    instance = step.new.text(role, "placement", "instance type")
    gpus = int(step.new.number(role, "total", "GPUs of a pod"))
    before, after = (int(state.number(role, "replicas", "replicas")) for state in (step.old, step.new))
    has_moved = any(each.key.name in ("instance type", INSTANCE_LABEL) for each in step.changed(role, ("placement",)))
    if has_moved or not gpus or step.new.text(role, "workload", "kind") != "Deployment":
        return  # the new pods are planned on nodes of their own
    nodes = max(int(state.number("capacity", "room", instance)) for state in (step.old, step.new))
    others = sum(_gpus(step.new, other) for other in ROLES if other != role and _is_on(step.new, other, instance))
    own = int(step.old.number(role, "total", "GPUs of a pod"))
    free = max(0, nodes - others - min(before, after) * own)
    if free + missing * own < gpus:
        downtime = " (downtime)" if after == 1 else ""
        yield Consequence(
            "interrupts",
            f"the rolling update of {{roles}} waits for room for one more pod ({gpus} GPU{'s'[: gpus != 1]}; "
            f"{free} free on the planned nodes): add a node, or delete an old pod{downtime}",
            (role,),
        )


def _gpus(state: State, role: str) -> int:
    return int(state.number(role, "replicas", "replicas") * state.number(role, "total", "GPUs of a pod"))


def _is_on(state: State, role: str, instance: str) -> bool:
    return state.text(role, "placement", "instance type") == instance


def model_is_loaded_again(step: Step) -> Iterator[Consequence]:
    """A model of hf:// is in an emptyDir, which dies with its pod."""
    roles = tuple(role for role in ROLES if step.restarts(role))
    pods = int(step.new.number("capacity", "total", "pods"))
    uri, size = step.new.text("model", "model", "uri"), step.new.text("model", "model", "size")
    changed = [each for each in step.changed("model", ("model",)) if each.key.name in ("uri", "name")]
    if not uri.startswith("hf://") or not (roles or step.is_new):
        return
    what = "another model" if changed else "the model"
    every = f"each of {pods} pods" if (changed or step.is_new) and pods else "each restarted pod"
    yield Consequence(
        "costs", f"{every} downloads {what} (a volume of {size})" if size else f"{every} downloads {what}"
    )


def replicas_of_a_role(step: Step) -> Iterator[Consequence]:
    """More or fewer pods; the others stay."""
    for role in ROLES:
        for each in step.changed(role, ("replicas",)):
            if isinstance(each.delta, int) and not step.restarts(role):
                grouped = step.new.text(role, "workload", "kind") == GROUPS
                one = abs(each.delta) == 1
                what = ("replica" if grouped else "pod") + ("" if one else "s")
                starts, stops = ("starts", "stops, with its") if one else ("start", "stop, with their")
                does = starts if each.delta > 0 else f"{stops} prefix cache"
                yield Consequence("note", f"{abs(each.delta)} {{roles}} {what} {does}", (role,))


def nodes_are_there(step: Step) -> Iterator[Consequence]:
    """Nodes that the plan needs more, or no longer."""
    for each in step.changed("capacity", ("nodes",)):
        more = int(number(each.new) - number(each.old))
        name = each.key.name.removesuffix(" nodes")
        own = name.removeprefix("ml.") == step.new.target and each.old is not None and each.new is not None
        what = ("" if own else f"{name} ") + ("node" if abs(more) == 1 else "nodes")
        if more > 0:
            yield Consequence("costs", f"{more} {what} needed" if each.old is None else f"{more} more {what} needed")
        elif more < 0:
            yield Consequence("note", f"{-more} {what} no longer needed")


def nodes_are_labelled(step: Step) -> Iterator[Consequence]:
    """A pod whose node selector no node satisfies stays Pending."""
    wanted: dict[str, list[str]] = {}
    for role in ROLES:
        changed = step.changed(role, ("placement",))
        is_other_type = any(each.key.name == "instance type" for each in changed)
        for each in changed:
            label = each.key.name.removeprefix("node selector ")
            if (
                label != each.key.name
                and each.new is not None
                and not (is_other_type and each.key.name == INSTANCE_LABEL)
            ):
                wanted.setdefault(f"{label}={each.new}", []).append(role)
    for label, roles in wanted.items():
        says = f"{{roles}} pods run only on nodes with the label {label}, and stay Pending without one"
        yield Consequence("note", says, tuple(roles))


def claims(step: Step) -> Iterator[Consequence]:
    """A pod whose claim is missing stays Pending, and nothing that llmdgen makes deletes a claim."""
    before, after = _claims(step.old), _claims(step.new)
    namespace = step.new.namespace
    has_moved = bool(step.changed("deployment", ("namespace",)))
    for claim, holds in after.items():
        if claim not in before or has_moved:
            yield Consequence("note", f"the claim {claim} must exist in {namespace} before the apply, {holds}")
    for claim in sorted(before.keys() - after.keys()):
        yield Consequence("note", f"the claim {claim} and what it holds stay, unused, until somebody deletes it")
    sizes = [each for role in ROLES for each in step.changed(role, ("cache",)) if each.key.name == SHARED_CACHE]
    if before.keys() == after.keys() and any(None not in (each.old, each.new) for each in sizes):
        yield Consequence("note", "no claim becomes larger by this: it has to have the room")


def _claims(state: State) -> dict[str, str]:
    """The claims that pods mount, and what is expected of each."""
    scheme, _, rest = state.text("model", "model", "uri").partition("://")
    found = {rest.partition("/")[0]: "with the weights, readable by every pod at once"} if "pvc" in scheme else {}
    for key, value in state.facts.items():
        if key.topic == "volume" and key.name.endswith(CLAIM):
            found.setdefault(str(value), "writable by every pod at once")
    return dict(sorted(found.items()))


def secrets_exist(step: Step) -> Iterator[Consequence]:
    """A pod whose Secret is missing stays in CreateContainerConfigError. Secrets are of one namespace."""
    before = set() if step.changed("deployment", ("namespace",)) else _secrets(step.old)
    for secret in sorted(_secrets(step.new) - before):
        yield Consequence("note", f"the Secret {secret} must exist in {step.new.namespace} before the apply")


def _secrets(state: State) -> set[str]:
    """The Secrets that pods refer to: for variables, volumes, and registries."""
    return {
        str(value)
        for role in ROLES
        if state.has(role)
        for path, value in exact(state.parts[template_of(role)].doc)
        if _SECRET.search(path)
    }
