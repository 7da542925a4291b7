"""What becomes of the model servers' pods, and what they need around them: nodes, claims, a Secret."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.diff.state import ROLES, State
from llmdgen.diff.step import CLAIM, INSTANCE_LABEL, SHARED_CACHE, SURGE, Consequence, Step, number


def kind_of_workload(step: Step) -> Iterator[Consequence]:
    """Helm deletes the objects of the old kind when it has made those of the new."""
    for each in step.changed("deployment", ("workload",)):
        yield Consequence("interrupts", f"each {each.old} is deleted and a {each.new} made in its place")


def roles_come_and_go(step: Step) -> Iterator[Consequence]:
    """A role that appears or goes changes how requests are served."""
    for role in ROLES:
        for each in step.changed(role, ("presence",)):
            does = "start" if each.old is None else "stop"
            yield Consequence("interrupts", f"all {{roles}} pods {does}", (role,))


def pods_restart(step: Step) -> Iterator[Consequence]:
    """A changed pod template replaces every pod. A LeaderWorkerSet removes one group, then starts its successor."""
    if step.is_new or step.is_refused or step.changed("deployment", ("workload",)):
        return
    multinode = step.new.text("deployment", "workload", "workload") == "LeaderWorkerSet"
    how = "group by group" if multinode else "a rolling update"
    for role in ROLES:
        if not step.restarts(role):
            continue
        yield Consequence("interrupts", f"{{roles}} pods restart, {how}; their prefix caches are lost", (role,))
        if multinode and int(step.old.number(role, "replicas", "replicas")) == 1:
            yield Consequence(
                "interrupts",
                "the only {roles} group goes before its successor starts: nothing serves (downtime)",
                (role,),
            )
        if not multinode:
            yield from _update_waits(step, role)


def _update_waits(step: Step, role: str) -> Iterator[Consequence]:
    """A Deployment first starts a quarter more pods, and with fewer than four replicas it removes none before a new one
    is ready; where the nodes have no room for that one, it waits for ever."""
    instance = step.new.text(role, "placement", "instance type")
    gpus = int(step.new.number(role, "total", "GPUs of a pod"))
    before, after = (int(state.number(role, "replicas", "replicas")) for state in (step.old, step.new))
    has_moved = any(each.key.name in ("instance type", INSTANCE_LABEL) for each in step.changed(role, ("placement",)))
    if has_moved or not gpus:
        return  # the new pods are planned on nodes of their own
    nodes = max(int(state.number("capacity", "room", instance)) for state in (step.old, step.new))
    others = sum(_gpus(step.new, other) for other in ROLES if other != role and _is_on(step.new, other, instance))
    own = int(step.old.number(role, "total", "GPUs of a pod"))
    free = max(0, nodes - others - min(before, after) * own)
    if free + int(after * SURGE) * own < gpus:
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
                grouped = step.new.text("deployment", "workload", "workload") == "LeaderWorkerSet"
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
    namespace = step.new.text("deployment", "namespace", "namespace")
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


def secret_exists(step: Step) -> Iterator[Consequence]:
    """A pod whose Secret is missing stays in CreateContainerConfigError. Secrets are of one namespace."""
    secret = step.new.text("model", "secret", "Secret")
    if secret and (step.changed("model", ("secret",)) or step.changed("deployment", ("namespace",))):
        namespace = step.new.text("deployment", "namespace", "namespace")
        yield Consequence("note", f"the Secret {secret} must exist in {namespace} before the apply")
