"""Lists in spec.values.ms that replace llmdgen's own: that they still hold what the plan rests on.

Helm does not merge lists, so a container of the spec's own replaces the planned one as a whole. What the spec has a
field for is set there, and repeated in the list: rendered files, figures and checks all come from the fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from llmdgen.checks.registry import Draft, found, rule
from llmdgen.engine.facts import taken as taken_by_others
from llmdgen.facts.catalogue import release_toml
from llmdgen.findings import Route
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.planning.quantities import MIB, to_bytes, to_millis
from llmdgen.suggest import one_of

SERVING = ("vllmServe", "imageDefault")
GPU = "nvidia.com/gpu"
PROXY = ("routing", "proxy", "image")
SCHEDULER = ("inferenceExtension", "image")
REPEAT = "repeat what values/ms.yaml has without this list"


@rule("HELM010", "error", "a container of one's own that leaves the plan")
def own_containers_keep_the_plan(plan: Plan) -> Iterator[Draft]:
    """A list of containers replaces the planned one, and everything else goes on relying on it: the scheduler and the
    other end of a KV transfer expect vLLM's arguments, probes and monitors its port, the node its share of cpu, memory
    and EFA. vllm/*.args and allocation.yaml come from the spec's fields, and would be wrong.

    Fails:  values.ms {decode: {containers: [...]}} without vpc.amazonaws.com/efa, without --kv-transfer-config, with
            another cpu than spec.decode.resources, or without the mount of /dev/shm.
    Passes: the container of values/ms.yaml with another image, further variables, ports, mounts or probes.
    """
    for role, planned, own, at in _containers(plan):
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


@rule("HELM011", "error", "an image that is not the release's")
def own_images_are_the_releases(plan: Plan) -> Iterator[Draft]:
    """Flags, connectors and EFA libraries are those of the release's images. On AWS every model server runs llm-d-aws:
    the others lack EFA's libfabric, so that NIXL falls back to TCP; scheduler and sidecar have to be of the versions
    whose flags and plugins were written.

    Fails:  values.ms {decode: {containers: [{image: "ghcr.io/llm-d/llm-d-cuda:v0.5.1"}]}}; values.gaie
            {inferenceExtension: {image: {tag: v0.4.0}}}.
    Passes: the release's image from a registry of one's own at the same tag, or by its digest.
    """
    images = plan.release.images
    given: list[tuple[Route, Any, str]] = [
        ((*at, "image"), own.get("image"), str(planned["image"])) for _, planned, own, at in _containers(plan)
    ]
    values = plan.spec.spec.values
    given.append((("spec", "values", "ms", *PROXY), _deep(values.ms, PROXY), images["routing_sidecar"]))
    scheduler, name = _deep(values.gaie, SCHEDULER), _file(images["scheduler"]).partition(":")[0]
    if isinstance(scheduler, dict) and scheduler.keys() & {"name", "tag"} and ":" not in str(scheduler.get("name")):
        tag = images["scheduler"].rpartition(":")[2]
        image = f"{scheduler.get('name', name)}:{scheduler.get('tag', tag)}"
        key = "name" if "name" in scheduler else "tag"
        given.append((("spec", "values", "gaie", *SCHEDULER, key), image, images["scheduler"]))
    for route, image, expected in given:
        if isinstance(image, str) and "@" not in image and _file(image) != _file(expected):
            says = f"{image} is not {_file(expected)} of llm-d {plan.release.name}"
            yield found(*route, says=says, fix=f"use {expected}, or the same name and tag in a registry of your own")


@rule("HELM012", "error", "a list of one's own without what others refer to")
def own_lists_keep_what_is_referred_to(plan: Plan) -> Iterator[Draft]:
    """Containers mount volumes by name, and some deployments start their routing sidecar as an init container. A list
    that replaces llmdgen's without them gives a pod that the API server refuses, or one that nobody forwards to. A
    deployment over EFA keeps its pods in one zone with an affinity, which null or another one removes.

    Fails:  values.ms {decode: {volumes: [{name: mine, emptyDir: {}}]}}, without the volume shm; {extraConfig: null}
            with pd-disaggregation.
    Passes: all volumes of values/ms.yaml, and further ones.
    """
    for role, planned, own in _roles(plan):
        for key in ("volumes", "initContainers"):
            given = own.get(key)
            if not isinstance(given, list):
                continue
            names = _names(given)
            if missing := [name for name in _names(planned.get(key)) if name not in names]:
                says = f"{role.name} needs {_all(missing)} in {key}, which the list replaces"
                yield found(*_at(role), key, says=says, fix=REPEAT, on_key=True)
        volumes = own.get("volumes") if isinstance(own.get("volumes"), list) else planned.get("volumes")
        known = {*_names(volumes), "model-storage"}
        for key in ("containers", "initContainers"):
            for index, container in _entries(own.get(key)):
                for number, mount in _entries(container.get("volumeMounts")):
                    name = mount.get("name")
                    if isinstance(name, str) and name not in known:
                        route = (*_at(role), key, index, "volumeMounts", number, "name")
                        fix = f"add it to {role.name}.volumes, or use {one_of(sorted(known))}"
                        yield found(*route, says=f"there is no volume {name}: the pod is refused", fix=fix)
        yield from _zone(role, planned, own)
        for number, volume in _entries(own.get("volumes")):
            wanted = next(
                (each for _, each in _entries(planned["volumes"]) if each["name"] == volume.get("name")), None
            )
            if volume.get("name") == "shm" and wanted is not None and volume != wanted:
                says = f"/dev/shm is not what the plan has: {role.shm} in memory"
                fix = (
                    f"write emptyDir: {{medium: Memory, sizeLimit: {role.shm}}}, or set spec.{role.name}.resources.shm"
                )
                yield found(*_at(role), "volumes", number, says=says, fix=fix)
    yield from _scheduler_lists(plan)


def _scheduler_lists(plan: Plan) -> Iterator[Draft]:
    """The same for the scheduler's container and its tokenizer."""
    own = plan.spec.spec.values.gaie.get("inferenceExtension")
    if not isinstance(own, dict):
        return
    planned, at = _planned(plan, "gaie")["inferenceExtension"], ("spec", "values", "gaie", "inferenceExtension")
    off = "sidecar" in own and (own["sidecar"] is None or _deep(own, ("sidecar", "enabled")) is False)
    if plan.scheduler.tokenizer and off:
        says = "the scheduler asks this sidecar for the tokens of each prompt, and does not start without it"
        where: Route = (*at, "sidecar") if own["sidecar"] is None else (*at, "sidecar", "enabled")
        yield found(*where, says=says, fix="remove it", on_key=True)
    paths: tuple[tuple[str, ...], ...] = (
        ("volumes",),
        ("volumeMounts",),
        ("sidecar", "env"),
        ("sidecar", "volumeMounts"),
    )
    for path in paths:
        given, wanted = _deep(own, path), _deep(planned, path)
        key = "mountPath" if path[-1] == "volumeMounts" else "name"
        names = {each.get(key) for _, each in _entries(given)}
        missing = [each[key] for _, each in _entries(wanted) if each[key] not in names]
        if isinstance(given, list) and missing:
            says = f"the scheduler needs {_all(missing)} in {'.'.join(path)}, which the list replaces"
            yield found(*at, *path, says=says, fix="repeat what values/gaie.yaml has without this list", on_key=True)
    written = release_toml(plan.release.name, "values.toml")["written_env"]["gaie"]
    for index, variable in _entries(own.get("env")):
        if variable.get("name") in written:
            says = f"{variable['name']} is set by the chart, and a second one is refused by server-side apply"
            yield found(*at, "env", index, "name", says=says, fix="remove it")
    known = {str(each.get("name")) for each in (*_maps(own, planned, "volumes"), {"name": "plugins-config-volume"})}
    for index, mount in _entries(own.get("volumeMounts")):
        if isinstance(mount.get("name"), str) and mount["name"] not in known:
            fix = f"add it to inferenceExtension.volumes, or use {one_of(sorted(known))}"
            says = f"there is no volume {mount['name']}: the pod is refused"
            yield found(*at, "volumeMounts", index, "name", says=says, fix=fix)


def _maps(own: dict[str, Any], planned: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The entries of a list of the scheduler's as they will be."""
    return [each for _, each in _entries(own[key] if isinstance(own.get(key), list) else planned.get(key))]


@rule("HELM014", "warning", "a service account that no release makes")
def service_accounts_are_there(plan: Plan) -> Iterator[Draft]:
    """With serviceAccountOverride the chart makes no service account of its own. Where the named one is not in the
    namespace, no pod is created, and only an event of the ReplicaSet says so.

    Fails:  values.ms {serviceAccountOverride: model-reader} alone.
    Passes: the same with a ServiceAccount model-reader in extraObjects; suppress it for one that is made elsewhere.
    """
    values = plan.spec.spec.values
    name = values.ms.get("serviceAccountOverride")
    made = [each for _, each in (*_entries(values.ms.get("extraObjects")), *_entries(values.infra.get("extraDeploy")))]
    accounts = {_deep(each, ("metadata", "name")) for each in made if each.get("kind") == "ServiceAccount"}
    if isinstance(name, str) and name not in ("", "default", *accounts):
        says = f"no release makes the ServiceAccount {name} in {plan.names.namespace}"
        fix = "add it to extraObjects, or suppress this where it is there already"
        yield found("spec", "values", "ms", "serviceAccountOverride", says=says, fix=fix)


def _zone(role: RolePlan, planned: dict[str, Any], own: dict[str, Any]) -> Iterator[Draft]:
    """The affinity that keeps a deployment in one zone: still there once the spec's own is merged over it."""
    path = ("extraConfig", "affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms, value = _deep(planned, path), own
    if not terms:
        return
    for depth, part in enumerate(path, start=1):
        if not isinstance(value, dict) or part not in value:
            return
        value = value[part]
        kept = isinstance(value, dict) or (depth == len(path) and all(term in (value or []) for term in terms))
        if not kept:
            says = "it removes the affinity that keeps the pods in one zone, which EFA does not leave"
            fix = "keep that affinity, or set spec.cluster.zone"
            yield found(*_at(role), *path[:depth], says=says, fix=fix, on_key=True)
            return


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
    given = {str(each.get("name")): (index, each) for index, each in _entries(own.get("env"))}
    missing = []
    for name in sorted(given.keys() & (taken.keys() - set(_names(planned.get("env"))))):
        says = f"{name} is set by the chart, and a second one is refused by server-side apply"
        yield found(*at, "env", given[name][0], "name", says=says, fix=taken[name])
    for _, each in _entries(planned.get("env")):
        name = each["name"]
        if name not in given:
            missing.append(name)
        elif given[name][1] != each:
            says = f"{name} is not what the plan has: {_source(each)}"
            yield found(*at, "env", given[name][0], says=says, fix=f"set it in spec.{role.name}.env, or repeat it here")
    if missing:
        where: Route = (*at, "env") if "env" in own else at
        yield found(*where, says=f"the container lacks {_all(missing)}", fix=REPEAT, on_key=True)


def _ports(planned: dict[str, Any], own: dict[str, Any], at: Route) -> Iterator[Draft]:
    given = {each.get("name"): (index, each.get("containerPort")) for index, each in _entries(own.get("ports"))}
    for _, port in _entries(planned.get("ports")):
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
    given = {each.get("mountPath") for _, each in _entries(own.get("volumeMounts"))}
    paths = [each["mountPath"] for _, each in _entries(planned.get("volumeMounts"))]
    if missing := [path for path in paths if path not in given]:
        where: Route = (*at, "volumeMounts") if "volumeMounts" in own else at
        yield found(*where, says=f"nothing is mounted at {_all(missing)}", fix=REPEAT, on_key=True)


def _containers(plan: Plan) -> Iterator[tuple[RolePlan, dict[str, Any], dict[str, Any], Route]]:
    """Each role whose containers the spec replaces, with the planned model server, its own and where that is."""
    for role, planned, own in _roles(plan):
        entries = dict(_entries(own.get("containers")))
        if not entries:
            continue
        server = next(each for _, each in _entries(planned["containers"]))
        named = [index for index, each in entries.items() if each.get("name") == server["name"]]
        serving = [index for index, each in entries.items() if each.get("modelCommand") in SERVING]
        index = (*named, *serving, *entries)[0]
        yield role, server, entries[index], (*_at(role), "containers", index)


def _roles(plan: Plan) -> Iterator[tuple[RolePlan, dict[str, Any], dict[str, Any]]]:
    """Each role that spec.values.ms says something of, as planned and as said there."""
    values = plan.spec.spec.values.ms
    for role in plan.roles:
        own = values.get(role.name)
        if isinstance(own, dict) and own.keys() & {"containers", "volumes", "initContainers", "extraConfig"}:
            yield role, _planned(plan, "ms")[role.name], own


def _planned(plan: Plan, chart: str) -> dict[str, Any]:
    """The values of a chart as llmdgen alone writes them."""
    from llmdgen.rendering.files import planned_values

    return _read(planned_values(plan, chart))


@lru_cache(maxsize=4)
def _read(text: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    values: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return values


def _at(role: RolePlan) -> Route:
    return ("spec", "values", "ms", role.name)


def _entries(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """The maps of a list with their index; none of what is no list."""
    return [
        (index, each) for index, each in enumerate(value if isinstance(value, list) else ()) if isinstance(each, dict)
    ]


def _names(value: Any) -> list[str]:
    return [str(each.get("name")) for _, each in _entries(value)]


def _deep(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _capabilities(container: dict[str, Any]) -> list[str]:
    for top in (container.get("extraConfig"), container):
        context = _deep(top, ("securityContext",))
        if isinstance(context, dict):
            added = _deep(context, ("capabilities", "add"))
            return ["ALL"] if context.get("privileged") is True else list(added) if isinstance(added, list) else []
    return []


def _sides(container: dict[str, Any]) -> dict[str, dict[str, Any]]:
    resources = container.get("resources")
    sides = {side: _deep(resources, (side,)) for side in ("limits", "requests")}
    return {side: amounts if isinstance(amounts, dict) else {} for side, amounts in sides.items()}


def _amount(name: str, value: Any) -> Any:
    """An amount by which two can be compared; itself where it is none, which HELM009 says."""
    try:
        return to_bytes(str(value)) if name.startswith(("memory", "hugepages-")) else to_millis(str(value))
    except (ValueError, KeyError):
        return value


def _file(image: str) -> str:
    """The last part of an image's name, with its tag."""
    return image.rpartition("/")[2]


def _source(variable: dict[str, Any]) -> str:
    field = _deep(variable, ("valueFrom", "fieldRef", "fieldPath"))
    return f"the pod's {field}" if field else f'"{variable.get("value")}"'


def _short(argument: Any) -> str:
    text = str(argument)
    return text if len(text) <= 60 else text[:57] + "..."


def _all(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
