"""Where in the spec it is decided what stands at a place in a pod, so that a finding about the pod has a line."""

from __future__ import annotations

from typing import Any

from llmdgen.findings import Route
from llmdgen.objects.container import NAME
from llmdgen.planning.model import Plan, RolePlan

_RESOURCES = {"cpu": ("resources", "cpu"), "memory": ("resources", "memory")}


def origins(plan: Plan, role: RolePlan, spec: dict[str, Any]) -> dict[Route, Route]:
    """From places in a role's PodSpec to places in the spec."""
    own: Route = ("spec", role.name)
    found: dict[Route, Route] = {
        (): own,
        ("nodeSelector",): ("spec", "cluster", "nodeSelector"),
        ("tolerations",): ("spec", "cluster", "tolerations"),
        ("affinity",): ("spec", "cluster", "zone"),
    }
    for index, container in enumerate(spec["containers"]):
        if container["name"] == NAME:
            at: Route = ("containers", index)
            found |= {(*at, *inside): place for inside, place in _container(plan, role, container).items()}
    for index, volume in enumerate(spec["volumes"]):
        place = _volume(role, str(volume["name"]))
        if place:
            found["volumes", index] = place
    return found


def _container(plan: Plan, role: RolePlan, container: dict[str, Any]) -> dict[Route, Route]:
    own: Route = ("spec", role.name)
    found: dict[Route, Route] = {("image",): ("spec", "images", "modelServer"), ("args",): (*own, "args")}
    for index, argument in enumerate(container["args"]):
        flag = argument.removeprefix("--").partition("=")[0]
        if argument.startswith("--") and flag in role.flag_routes:
            found["args", index] = role.flag_routes[flag]
    for index, variable in enumerate(container["env"]):
        if variable["name"] in role.env_routes:
            found["env", index] = role.env_routes[variable["name"]]
    places = {
        **_RESOURCES,
        plan.platform["gpu_resource"]: ("parallelism", "tensor"),
        plan.platform["efa_resource"]: ("efa",),
    }
    for side in ("limits", "requests"):
        found |= {("resources", side, name): (*own, *place) for name, place in places.items()}
    return found


def _volume(role: RolePlan, name: str) -> Route:
    """The field that sizes or names a volume, () for one that no field is about."""
    fields: dict[str, Route] = {
        "shm": ("spec", role.name, "resources", "shm"),
        "model-storage": ("spec", "model", "size"),
        "kv-disk": ("spec", "cache", "disk"),
        "kv-storage": ("spec", "cache", "storage"),
    }
    return fields.get(name, ())
