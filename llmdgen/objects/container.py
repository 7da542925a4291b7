"""The container that runs vLLM."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import EnvVar, Volume
from llmdgen.objects.launch import command as command_of
from llmdgen.planning.model import Plan, RolePlan

NAME = "vllm"
METRICS_PATH = "/metrics"
PULL_POLICY = "IfNotPresent"  # every image is pinned


def vllm(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """The model server: command and arguments, environment, ports, probes, resources, mounts."""
    command, args = command_of(plan, role)
    found: dict[str, Any] = {
        "name": NAME,
        "image": plan.images.model_server,
        "imagePullPolicy": PULL_POLICY,
        "command": command,
        "args": args,
        "env": [environment(variable) for variable in role.env],
        "ports": _ports(plan, role),
        "startupProbe": _asks("/v1/models", 30, 5, failures=plan.startup_minutes * 2) | {"initialDelaySeconds": 15},
        "livenessProbe": _asks("/health", 10, 5, failures=3),
        "readinessProbe": _asks("/v1/models", 5, 2, failures=3),
        "resources": _resources(plan, role),
        "volumeMounts": [mount(volume) for volume in role.volumes],
    }
    scratch = [volume.mount_path for volume in role.volumes if volume.scratch]
    if scratch:
        found["lifecycle"] = {"preStop": {"exec": {"command": ["find", *scratch, "-mindepth", "1", "-delete"]}}}
    if role.efa_per_pod:
        found["securityContext"] = {"capabilities": {"add": ["IPC_LOCK"]}}
    return found


def environment(variable: EnvVar) -> dict[str, Any]:
    """An environment variable as Kubernetes has it."""
    if variable.field:
        return {"name": variable.name, "valueFrom": {"fieldRef": {"fieldPath": variable.field}}}
    if variable.secret:
        return {"name": variable.name, "valueFrom": {"secretKeyRef": {"name": variable.secret, "key": variable.name}}}
    return {"name": variable.name, "value": variable.value}


def mount(volume: Volume) -> dict[str, Any]:
    """Where the container has a volume; a directory of its own inside it, where the volume has one for each pod."""
    found: dict[str, Any] = {"name": volume.name, "mountPath": volume.mount_path}
    if volume.own_directory:
        found["subPathExpr"] = volume.own_directory
    if volume.read_only:
        found["readOnly"] = True
    return found


def _ports(plan: Plan, role: RolePlan) -> list[dict[str, Any]]:
    found = [{"name": NAME, "containerPort": role.port, "protocol": "TCP"}]
    if plan.transfers:
        found.append({"name": "nixl", "containerPort": plan.engine["ports"]["nixl"], "protocol": "TCP"})
    return found


def _asks(path: str, period: int, timeout: int, *, failures: int) -> dict[str, Any]:
    """A probe of vLLM's HTTP server; period and timeout in seconds."""
    return {
        "httpGet": {"path": path, "port": NAME},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def _resources(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """Requests equal limits: a model server that shares its cores stalls all GPUs of its group."""
    amounts = {"cpu": role.cpu, "memory": role.memory, plan.platform["gpu_resource"]: str(role.size.gpus_per_pod)}
    if role.efa_per_pod:
        amounts[plan.platform["efa_resource"]] = str(role.efa_per_pod)
    return {"limits": amounts, "requests": dict(amounts)}
