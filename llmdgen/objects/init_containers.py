"""What runs beside or before vLLM: directories on shared volumes, and the routing sidecar of decode."""

from __future__ import annotations

from typing import Any

from llmdgen.objects.container import PULL_POLICY, port, rank_name, user_of
from llmdgen.planning.model import Plan, RolePlan

SIDECAR = "routing-proxy"
SIDECAR_PORT = "sidecar"
_MAKE = """set -eu
for folder in "$@"; do
  mkdir -p -m 0750 "$folder"
  chown {user}:{user} "$folder" || echo "$folder keeps its owner"
done
"""


def init_containers(plan: Plan, role: RolePlan) -> list[dict[str, Any]]:
    """The init containers of a role's pods, in the order in which they start."""
    found = []
    if any(volume.own_directory for volume in role.volumes):
        found.append(_directories(plan, role))
    if plan.sidecar and role.name == "decode":
        found.append(_sidecar(plan, role))
    return found


def _directories(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """Makes the deployment's directory on host and shared volumes, which arrive owned by root, for the user that vLLM
    runs as. An EFS access point has one owner for all that is in it and refuses to change it, which does no harm."""
    owned = [volume for volume in role.volumes if volume.own_directory]
    user = str(user_of(plan, role))
    folders = [f"{volume.mount_path}/{volume.own_directory}" for volume in owned]
    return {
        "name": "kv-cache-directories",
        "image": plan.images.model_server,
        "imagePullPolicy": PULL_POLICY,
        "command": ["/bin/sh", "-c", _MAKE.format(user=user), "sh", *folders],
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
