"""What becomes of the model servers' pods: which go, which start, and whether anything serves meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.diff.servers import GROUPS
from llmdgen.diff.state import State
from llmdgen.diff.step import INSTANCE_LABEL, Consequence, Step
from llmdgen.spec.fields import ROLES

_STRATEGIES = {GROUPS: "spec.rolloutStrategy.rollingUpdateConfiguration", "Deployment": "spec.strategy.rollingUpdate"}
# A Deployment starts up to a quarter more pods and removes up to a quarter; a LeaderWorkerSet replaces one by one.
_DEFAULTS: dict[str, tuple[int | str, int | str]] = {GROUPS: (1, 0), "Deployment": ("25%", "25%")}


def workload_is_another(step: Step) -> Iterator[Consequence]:
    """Helm makes the objects of another kind or name, then deletes those that the chart no longer has."""
    for role in filter(step.replaces, ROLES):
        before, after = (state.text(role, "workload", "kind") for state in step.states)
        other = f"a {after}" if before != after else step.new.text(role, "name", "name")
        says = f"the {before} of {{roles}} is deleted, and {other} takes its place"
        yield Consequence("interrupts", f"{says}: their pods all stop, and new ones start", (role,))


def roles_come_and_go(step: Step) -> Iterator[Consequence]:
    """A role that appears or goes changes how requests are served."""
    for role in ROLES:
        for each in step.changed(role, "presence"):
            does = "start" if each.old is None else "stop"
            yield Consequence("interrupts", f"all {{roles}} pods {does}", (role,))


def pods_restart(step: Step) -> Iterator[Consequence]:
    """A changed pod template replaces every pod, as the workload's strategy says."""
    for role in filter(step.restarts, ROLES):
        if step.replaces(role) or step.refused(role):
            continue
        how, missing = _rollout(step.new, role)
        is_grouped = step.new.text(role, "workload", "kind") == GROUPS
        # A Deployment that grows keeps its old pods until enough of the new ones are ready.
        there = _replicas(step.old if is_grouped else step.new, role)
        yield Consequence("interrupts", f"{{roles}} pods restart, {how}; their prefix caches are lost", (role,))
        if there and missing >= there:
            one = f"{'the only' if there == 1 else 'every'} {{roles}} {'group' if is_grouped else 'pod'}"
            says = f"{one} goes before its successor starts: nothing serves (downtime)"
            yield Consequence("interrupts", says, (role,))
        else:
            yield from _update_waits(step, role, missing)


def _rollout(state: State, role: str) -> tuple[str, int]:
    """How a change of its pods reaches a role, and how many replicas may be gone before their successors are ready."""
    kind, replicas = state.text(role, "workload", "kind"), _replicas(state, role)
    if state.get(role, "value", "spec.strategy.type") == "Recreate":
        return "all at once", replicas
    if kind not in _STRATEGIES:
        return "one after the other", 1
    unavailable, surge = (
        default if (given := state.get(role, "value", f"{_STRATEGIES[kind]}.{name}")) is None else given
        for name, default in zip(("maxUnavailable", "maxSurge"), _DEFAULTS[kind], strict=True)
    )
    missing = _share(unavailable, replicas)
    if not missing and not _share(surge, replicas, rounds_up=True):
        missing = 1  # as the Deployment's controller does, which could not go on otherwise
    return "group by group" if kind == GROUPS else "a rolling update", missing


def _share(value: object, replicas: int, rounds_up: bool = False) -> int:
    """A number of replicas, or a percentage of them."""
    text = str(value)
    if text.removesuffix("%").isdecimal():
        number = int(text.removesuffix("%"))
        return (number * replicas + (99 if rounds_up else 0)) // 100 if text.endswith("%") else number
    return 0


def _update_waits(step: Step, role: str, missing: int) -> Iterator[Consequence]:
    """An update starts new pods beside the old ones but for those that may be missing meanwhile; where the nodes have
    no room for the first, it waits for ever."""
    old, new = step.states
    instance = new.text(role, "placement", "instance type")
    gpus, own = _gpus(new, role), _gpus(old, role)
    has_moved = any(step.change(role, "placement", name) for name in ("instance type", INSTANCE_LABEL))
    if has_moved or not gpus or new.text(role, "workload", "kind") != "Deployment":
        return  # the new pods are planned on nodes of their own
    nodes = max(int(state.number("capacity", "room", instance)) for state in step.states)
    others = [each for each in ROLES if each != role and new.text(each, "placement", "instance type") == instance]
    taken = sum(_replicas(new, other) * _gpus(new, other) for other in others)
    free = max(0, nodes - taken - min(_replicas(old, role), _replicas(new, role)) * own)
    if free + missing * own < gpus:
        downtime = " (downtime)" if _replicas(new, role) == 1 else ""
        yield Consequence(
            "interrupts",
            f"the rolling update of {{roles}} waits for room for one more pod ({gpus} GPU{'s'[: gpus != 1]}; "
            f"{free} free on the planned nodes): add a node, or delete an old pod{downtime}",
            (role,),
        )


def _replicas(state: State, role: str) -> int:
    return int(state.number(role, "replicas", "replicas"))


def _gpus(state: State, role: str) -> int:
    return int(state.number(role, "total", "GPUs of a pod"))


def model_is_loaded_again(step: Step) -> Iterator[Consequence]:
    """A model of hf:// is in an emptyDir, which dies with its pod."""
    pods = int(step.new.number("capacity", "total", "pods"))
    uri, size = step.new.text("model", "model", "uri"), step.new.text("model", "model", "size")
    if not uri.startswith("hf://") or not (step.is_new or any(map(step.restarts, ROLES))):
        return
    is_another = any(step.change("model", "model", name) for name in ("uri", "name"))
    what = "another model" if is_another else "the model"
    every = f"each of {pods} pods" if (is_another or step.is_new) and pods else "each restarted pod"
    yield Consequence("costs", f"{every} downloads {what}" + (f" (a volume of {size})" if size else ""))


def replicas_of_a_role(step: Step) -> Iterator[Consequence]:
    """More or fewer pods; the others stay."""
    for role in ROLES:
        each = step.change(role, "replicas", "replicas")
        if each is None or not isinstance(each.delta, int) or step.restarts(role):
            continue
        number = abs(each.delta)
        what = "replica" if step.new.text(role, "workload", "kind") == GROUPS else "pod"
        if number == 1:
            does = f"{what} starts" if each.delta > 0 else f"{what} stops, with its prefix cache"
        else:
            does = f"{what}s start" if each.delta > 0 else f"{what}s stop, with their prefix cache"
        yield Consequence("note", f"{number} {{roles}} {does}", (role,))
