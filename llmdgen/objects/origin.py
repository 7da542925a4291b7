"""Where in the spec it is decided what stands at a place in a pod, so that a finding about the pod has a line."""

from __future__ import annotations

from typing import Any

from llmdgen.engine.derived import EXTRA, connectors_in
from llmdgen.findings import Route
from llmdgen.objects.pod import NAME, SIDECAR
from llmdgen.planning.model import Plan, RolePlan

PATH: Route = ("spec", "path")
_TRANSFER = "kv-transfer-config"
_SIZES = ("tensor", "dataLocal", "data")
# What the paths write into --kv-transfer-config of what the spec says elsewhere.
_IN_TRANSFER: dict[str, Route] = {
    "backends": ("spec", "transfer", "backend"),
    "enable_cross_layers_blocks": ("spec", "transfer", "crossLayersBlocks"),
    "cpu_bytes_to_use": ("spec", "cache", "cpu", "size"),
}
_VOLUMES: dict[str, tuple[str, ...]] = {
    "model-storage": ("model", "size"),
    "kv-disk": ("cache", "disk"),
    "kv-storage": ("cache", "storage"),
}


def origins(plan: Plan, role: RolePlan, spec: dict[str, Any]) -> dict[Route, Route]:
    """From places in a role's PodSpec to places in the spec."""
    label = plan.platform["instance_type_label"]
    found: dict[Route, Route] = {
        (): ("spec", role.name),
        ("nodeSelector",): ("spec", "cluster", "nodeSelector"),
        ("nodeSelector", label): hardware(plan, role),
        ("nodeSelector", label, "efa"): ("spec", "cluster", "efaPerNode"),
        ("tolerations",): ("spec", "cluster", "tolerations"),
        ("affinity",): ("spec", "cluster", "zone"),
    }
    if plan.spec.asked.cluster.zone:
        found["nodeSelector", plan.platform["zone_label"]] = ("spec", "cluster", "zone")
    own_labels = plan.spec.asked.cluster.node_selector
    found |= {("nodeSelector", key): ("spec", "cluster", "nodeSelector", key) for key in own_labels}
    for index, toleration in enumerate(spec.get("tolerations", ())):
        if toleration in plan.own_tolerations:
            place = ("spec", "cluster", "tolerations", plan.own_tolerations.index(toleration))
            found["tolerations", index] = place
    for index, container in enumerate(spec["containers"]):
        if container["name"] == NAME:
            at: Route = ("containers", index)
            found |= {(*at, *inside): place for inside, place in _container(plan, role, container).items()}
    for index, container in enumerate(spec.get("initContainers", ())):
        field = "sidecar" if container["name"] == SIDECAR else "modelServer"
        found["initContainers", index, "image"] = ("spec", "images", field)
    for index, volume in enumerate(spec.get("volumes", ())):
        if volume["name"] == "shm":
            found["volumes", index] = ("spec", role.name, "resources", "shm")
        elif volume["name"] in _VOLUMES:
            found["volumes", index] = ("spec", *_VOLUMES[volume["name"]])
    return found


def hardware(plan: Plan, role: RolePlan) -> Route:
    """The place that gives a role its instance type: its own, or the entry of spec.instanceTypes."""
    own: Route = ("spec", role.name, "instanceType")
    if own in plan.spec.places:
        return own
    for index, name in enumerate(plan.spec.asked.instance_types):
        if name.removeprefix("ml.") == plan.instance_type.removeprefix("ml."):
            return ("spec", "instanceTypes", index)
    return ("spec", "instanceTypes")


def size(plan: Plan, role: RolePlan, *keys: str) -> Route:
    """The first of these parallelism keys that the spec sets, in camelCase; else the role's parallelism, or the model,
    from which the path took the size."""
    route = ("spec", role.name, "parallelism")
    otherwise: Route = route if route in plan.spec.places else ("spec", "model", "name")
    return next(((*route, key) for key in keys if (*route, key) in plan.spec.places), otherwise)


def _container(plan: Plan, role: RolePlan, container: dict[str, Any]) -> dict[Route, Route]:
    """Flags and variables by their names and, where each stands for itself, by their places in the lists."""
    own: Route = ("spec", role.name)
    found: dict[Route, Route] = {("image",): ("spec", "images", "modelServer"), ("args",): (*own, "args")}
    found |= {("args", f"--{flag}"): place for flag, place in role.flag_routes.items()}
    for index, argument in enumerate(container.get("args", ())):
        flag = argument.removeprefix("--").partition("=")[0]
        if argument.startswith("--") and flag in role.flag_routes:
            found["args", index] = role.flag_routes[flag]
    if role.flag_routes.get(_TRANSFER) == PATH:
        for inside, _ in connectors_in(role.flags.get(_TRANSFER)):
            here: Route = ("args", f"--{_TRANSFER}", *inside, EXTRA)
            found |= {(*here, key): place for key, place in _IN_TRANSFER.items()}
    tiers: dict[str, str] = plan.platform["tier_variables"]
    for index, variable in enumerate(container.get("env", ())):
        name = variable["name"]
        place = role.env_routes.get(name)
        if place == PATH and name in tiers:
            place = tuple(tiers[name].split("."))
        if place:
            found["env", index] = found["env", name] = place
    places = {
        "cpu": (*own, "resources", "cpu"),
        "memory": (*own, "resources", "memory"),
        plan.platform["gpu_resource"]: size(plan, role, *_SIZES),
        plan.platform["efa_resource"]: (*own, "efa"),
    }
    for side in ("limits", "requests"):
        found |= {("resources", side, name): place for name, place in places.items()}
    return found
