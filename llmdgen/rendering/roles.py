"""A planned role as the values that the modelservice chart reads."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import EnvVar, Volume
from llmdgen.planning.launch import head
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.rendering.templates import render
from llmdgen.rendering.yaml_text import Text

CONTINUED, ENDED = Text(" \\"), Text("")


def role_values(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """What ms.yaml.j2 writes of a role."""
    efa = {plan.platform["efa_resource"]: str(role.efa_per_pod)} if role.efa_per_pod else {}
    return {
        "size": role.size,
        "shm": role.shm,
        "port": role.port,
        "nixl_port": plan.engine["ports"]["nixl"] if transfers(plan) else None,
        "node_selector": role.node_selector,
        "affinity": _same_zone(plan) if plan.one_zone and not plan.spec.spec.cluster.zone else None,
        "arguments": role.arguments,
        "script": start_script(plan, role) if plan.multinode or plan.prefiller_sampling else None,
        "env": [environment(variable) for variable in role.env],
        "resources": {"cpu": role.cpu, "memory": role.memory, **efa},
        "capabilities": ["IPC_LOCK"] if role.efa_per_pod else [],
        "mounts": [_mount(volume) for volume in role.volumes],
        "volumes": [{"name": volume.name, **volume.source} for volume in role.volumes],
        "scratch": [volume.mount_path for volume in role.volumes if volume.scratch],
        "init_containers": [*_owners(plan, role), *_sidecar(plan, role)],
    }


def transfers(plan: Plan) -> bool:
    """Whether KV caches travel between pods."""
    return any(connector.name == "NixlConnector" for connector in plan.connectors)


def start_script(plan: Plan, role: RolePlan) -> str:
    """The script that starts vLLM where the chart's own command is not enough, every argument quoted."""
    flags = head(plan.model_argument, plan.spec.spec.model.name, role.port, role.size)
    return render(
        "start.sh.j2",
        head=flags,
        head_flags=[(Text(flag), value) for flag, value in zip(flags[1::2], flags[2::2], strict=True)],
        arguments=role.arguments,
        workers=role.size.workers,
        data_local=role.size.data_local,
        more=CONTINUED,
        last=ENDED,
    )


def environment(variable: EnvVar) -> dict[str, Any]:
    """An environment variable as Kubernetes has it."""
    if variable.field:
        return {"name": variable.name, "valueFrom": {"fieldRef": {"fieldPath": variable.field}}}
    return {"name": variable.name, "value": variable.value}


def _mount(volume: Volume) -> dict[str, Any]:
    mount = {"name": volume.name, "mountPath": volume.mount_path}
    return {**mount, "subPathExpr": volume.own_directory} if volume.own_directory else mount


def _same_zone(plan: Plan) -> dict[str, Any]:
    """All pods of the deployment in one zone, whichever the first is in."""
    term = {
        "labelSelector": {"matchLabels": {"llm-d.ai/deployment": plan.spec.name}},
        "topologyKey": plan.platform["zone_label"],
    }
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _owners(plan: Plan, role: RolePlan) -> list[dict[str, Any]]:
    """Gives each pod its own directory on host and shared volumes, which arrive owned by root."""
    owned = [volume for volume in role.volumes if volume.own_directory]
    if not owned:
        return []
    user = plan.release.user_id
    folders = [f"{volume.mount_path}/{volume.own_directory}" for volume in owned]
    return [
        {
            "name": "kv-cache-directories",
            "image": plan.release.images["model_server"],
            "imagePullPolicy": "IfNotPresent",
            "command": ["install", "-d", "-m", "0750", "-o", str(user), "-g", str(user), *folders],
            "env": [environment(variable) for variable in role.env if variable.name == "POD_NAME"],
            "securityContext": {"runAsUser": 0},
            "volumeMounts": [{"name": volume.name, "mountPath": volume.mount_path} for volume in owned],
        }
    ]


def _sidecar(plan: Plan, role: RolePlan) -> list[dict[str, Any]]:
    """The routing sidecar, where the chart's own does not do (`Plan.own_sidecar`)."""
    if role.name != "decode" or not plan.own_sidecar:
        return []
    ports = plan.engine["ports"]
    return [
        {
            "name": "routing-proxy",
            "image": plan.release.images["routing_sidecar"],
            "imagePullPolicy": "IfNotPresent",
            "restartPolicy": "Always",
            "args": [
                f"--port={ports['service']}",
                f"--vllm-port={role.port}",
                "--connector=nixlv2",
                "--zap-log-level=error",
                "--secure-proxy=false",
                *(["--enable-prefiller-sampling"] if plan.prefiller_sampling else []),
            ],
            "ports": [{"name": "sidecar", "containerPort": ports["service"], "protocol": "TCP"}],
            "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
        }
    ]
