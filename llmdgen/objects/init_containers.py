"""What runs beside or before vLLM: directories on shared volumes, and the routing sidecar of decode."""

from __future__ import annotations

from typing import Any

from llmdgen.objects.container import PULL_POLICY, environment, port, rank_name, user_of
from llmdgen.planning.model import Plan, RolePlan

SIDECAR = "routing-proxy"
SIDECAR_PORT = "sidecar"


def init_containers(plan: Plan, role: RolePlan) -> list[dict[str, Any]]:
    """The init containers of a role's pods, in the order in which they start."""
    found = []
    if any(volume.own_directory for volume in role.volumes):
        found.append(_directories(plan, role))
    if plan.sidecar and role.name == "decode":
        found.append(_sidecar(plan, role))
    return found


def _directories(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """Gives each pod its own directory on host and shared volumes, which arrive owned by root."""
    owned = [volume for volume in role.volumes if volume.own_directory]
    user = str(user_of(plan, role))
    folders = [f"{volume.mount_path}/{volume.own_directory}" for volume in owned]
    return {
        "name": "kv-cache-directories",
        "image": plan.images.model_server,
        "imagePullPolicy": PULL_POLICY,
        "command": ["install", "-d", "-m", "0750", "-o", user, "-g", user, *folders],
        "env": [environment(variable) for variable in role.env if variable.name == "POD_NAME"],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": volume.name, "mountPath": volume.mount_path} for volume in owned],
    }


def _sidecar(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """Takes requests on the pool's port, asks a prefill server first, then decode's own vLLM. As an init container that
    restarts always it is there before vLLM is and stops after it."""
    assert plan.sidecar is not None
    return {
        "name": SIDECAR,
        "image": plan.images.sidecar,
        "imagePullPolicy": PULL_POLICY,
        "restartPolicy": "Always",
        "args": list(plan.sidecar.arguments),
        "ports": [port(rank_name(SIDECAR_PORT, rank), plan.target_ports[rank]) for rank in range(role.ranks)],
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
    }
