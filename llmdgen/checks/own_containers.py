"""Containers in spec.values.ms that replace llmdgen's own: that they still hold what the plan rests on.

Helm does not merge lists, so a container of the spec's own replaces the planned one as a whole. What the spec has a
field for is set there, and repeated in the list: rendered files, figures and checks all come from the fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks._own_values import names_of, own_servers
from llmdgen.engine.facts import taken as taken_by_others
from llmdgen.findings import Route
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.quantities import MIB, to_bytes, to_millis
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import all_of, one_of
from llmdgen.untyped import at as value_at
from llmdgen.untyped import maps

GPU = "nvidia.com/gpu"
REPEAT = "repeat what values/ms.yaml has without this list"


@rule("HELM010", "error", "a container of one's own that leaves the plan")
def own_containers_keep_the_plan(plan: Plan) -> Iterator[Draft]:
    """A list of containers replaces the planned one, and everything else goes on relying on it: the scheduler and the
    other end of a KV transfer expect vLLM's arguments, probes and monitors its port, the node its share of cpu, memory
    and EFA. vllm/*.args and allocation.yaml come from the spec's fields, and would be wrong.

    Fails:  values.ms {decode: {containers: [...]}} without vpc.amazonaws.com/efa, without --kv-transfer-config, with
            another cpu than spec.decode.resources, or without the mount of /dev/shm.
    Passes: the container of values/ms.yaml from another registry, with further variables, ports, mounts or probes.
    """
    for role, planned, own, at in own_servers(plan):
        yield from _arguments(role, planned, own, at)
        yield from _environment(role, planned, own, at, taken_by_others(plan.release.name).environment)
        yield from _ports(planned, own, at)
        yield from _resources(role, planned, own, at)
        yield from _mounts(planned, own, at)
        if planned.get("mountModelVolume") and not own.get("mountModelVolume"):
            says = "without mountModelVolume the container has no model volume"
            yield found(*at, "mountModelVolume", says=says, fix="write mountModelVolume: true")
        wanted, given = _capabilities(planned), _capabilities(own)
        if missing := [each for each in wanted if each not in given and "ALL" not in given]:
            says = f"without the capability {one_of(missing)} EFA cannot register memory"
            fix = f"write extraConfig: {{securityContext: {{capabilities: {{add: [{', '.join(wanted)}]}}}}}}"
            yield found(*at, "extraConfig", says=says, fix=fix)


def _arguments(role: RolePlan, planned: dict[str, Any], own: dict[str, Any], at: Route) -> Iterator[Draft]:
    command = planned.get("modelCommand")
    if own.get("modelCommand", "custom") != command or (
        command == "custom" and own.get("command") != planned["command"]
    ):
        says = f"the container is not started as planned, with modelCommand: {command}"
        yield found(*at, "modelCommand", says=says, fix=REPEAT)
        return
    wanted, given = planned.get("args") or [], own.get("args")
    if not isinstance(given, list) or given == wanted:
        if wanted and given is None:
            yield found(*at, says=f"the container has no args, and the plan has {wanted[0]} first", fix=REPEAT)
        return
    for index, argument in enumerate(given):
        if argument not in wanted:
            name = str(argument).lstrip("-").partition("=")[0] if str(argument).startswith("--") else ""
            field = f"set {name} in spec.{role.name}.args" if name else f"set it in spec.{role.name}.args"
            says = f"{_short(argument)} is not among the planned arguments"
            yield found(*at, "args", index, says=says, fix=f"{field}, and repeat the args of values/ms.yaml")
            return
    missing = next((each for each in wanted if each not in given), None)
    says = f"{_short(missing)} is missing" if missing else "the arguments are in another order than vllm/*.args"
    yield found(*at, "args", says=says, fix=REPEAT, on_key=True)


def _environment(
    role: RolePlan, planned: dict[str, Any], own: dict[str, Any], at: Route, taken: dict[str, str]
) -> Iterator[Draft]:
    given = {str(each.get("name")): (index, each) for index, each in maps(own.get("env"))}
    missing = []
    for name in sorted(given.keys() & (taken.keys() - set(names_of(planned.get("env"))))):
        says = f"{name} is set by the chart, and a second one is refused by server-side apply"
        yield found(*at, "env", given[name][0], "name", says=says, fix=taken[name])
    for _, each in maps(planned.get("env")):
        name = each["name"]
        if name not in given:
            missing.append(name)
        elif given[name][1] != each:
            says = f"{name} is not what the plan has: {_source(each)}"
            yield found(*at, "env", given[name][0], says=says, fix=f"set it in spec.{role.name}.env, or repeat it here")
    if missing:
        where: Route = (*at, "env") if "env" in own else at
        yield found(*where, says=f"the container lacks {all_of(missing)}", fix=REPEAT, on_key=True)


def _ports(planned: dict[str, Any], own: dict[str, Any], at: Route) -> Iterator[Draft]:
    given = {str(each.get("name")): (index, each.get("containerPort")) for index, each in maps(own.get("ports"))}
    for _, port in maps(planned.get("ports")):
        index, number = given.get(port["name"], (None, None))
        wanted = port["containerPort"]
        if index is None and port["name"] == "vllm":
            route: Route = (*at, "ports") if "ports" in own else at
            says = f"no port is called vllm, which probes and monitors ask: vLLM listens on {wanted}"
            yield found(*route, says=says, fix=f"add {{name: vllm, containerPort: {wanted}}}", on_key=True)
        elif index is not None and number != wanted:
            says = f"{port['name']} listens on {wanted}"
            yield found(*at, "ports", index, "containerPort", says=says, fix=f"write containerPort: {wanted}")


def _resources(role: RolePlan, planned: dict[str, Any], own: dict[str, Any], at: Route) -> Iterator[Draft]:
    wanted, given = _sides(planned), _sides(own)
    names = dict.fromkeys((*wanted["limits"], *(name for side in given.values() for name in side)))
    for name in names:
        field = {"cpu": "resources.cpu", "memory": "resources.memory", "vpc.amazonaws.com/efa": "efa"}.get(name)
        for side in ("limits", "requests"):
            amount = given[side].get(name)
            expected = str(role.size.gpus_per_pod) if name == GPU else wanted[side].get(name)
            if amount is None and (name == GPU or (side == "requests" and given["limits"].get(name) is not None)):
                continue  # the chart adds the GPUs; a limit alone is the request too
            if str(name).startswith("hugepages-") and amount is not None:
                yield from _huge_pages(role, (*at, "resources", side, name), amount)
                break
            if not (field or name == GPU) or _amount(name, amount) == _amount(name, expected):
                continue
            route: Route = (*at, "resources", side, name)
            if amount is None:
                says = f"the container asks for no {name} in {side}, and the plan has {expected}"
            else:
                says = f"{name} is {amount}, and the plan has {expected or 'none'}"
            fix = f"write {expected}" if expected else "remove it"
            fix += f", or set spec.{role.name}.{field} as well" if field else ": tensor x dataLocal of the role"
            yield found(*route, says=says, fix=fix)
            break


def _huge_pages(role: RolePlan, at: Route, amount: Any) -> Iterator[Draft]:
    offered, pods = role.node.instance.hugepages_mib, max(1, min(role.pods, role.pods_per_node))
    asked = _amount("memory", amount)
    if isinstance(asked, int) and asked * pods > offered * MIB:
        says = f"{pods} {role.name} pods ask for {amount} of huge pages each, {role.node.instance.name} has {offered}Mi"
        yield found(*at, says=says, fix=f"write {offered // pods}Mi or less, or remove it")


def _mounts(planned: dict[str, Any], own: dict[str, Any], at: Route) -> Iterator[Draft]:
    given = {str(each.get("mountPath")) for _, each in maps(own.get("volumeMounts"))}
    paths = [each["mountPath"] for _, each in maps(planned.get("volumeMounts"))]
    if missing := [path for path in paths if path not in given]:
        where: Route = (*at, "volumeMounts") if "volumeMounts" in own else at
        yield found(*where, says=f"nothing is mounted at {all_of(missing)}", fix=REPEAT, on_key=True)


def _capabilities(container: dict[str, Any]) -> list[str]:
    for top in (container.get("extraConfig"), container):
        context = value_at(top, "securityContext")
        if isinstance(context, dict):
            added = value_at(context, "capabilities", "add")
            return ["ALL"] if context.get("privileged") is True else list(added) if isinstance(added, list) else []
    return []


def _sides(container: dict[str, Any]) -> dict[str, dict[str, Any]]:
    resources = container.get("resources")
    sides = {side: value_at(resources, side) for side in ("limits", "requests")}
    return {side: amounts if isinstance(amounts, dict) else {} for side, amounts in sides.items()}


def _amount(name: str, value: Any) -> Any:
    """An amount by which two can be compared; itself where it is none, which HELM009 says."""
    try:
        return to_bytes(str(value)) if name.startswith(("memory", "hugepages-")) else to_millis(str(value))
    except (ValueError, KeyError):
        return value


def _source(variable: dict[str, Any]) -> str:
    field = value_at(variable, "valueFrom", "fieldRef", "fieldPath")
    return f"the pod's {field}" if field else f'"{variable.get("value")}"'


def _short(argument: Any) -> str:
    text = str(argument)
    return text if len(text) <= 60 else text[:57] + "..."
