"""Values of the chart llm-d-modelservice as the pods that it would make of them."""

from __future__ import annotations

from typing import Any

from llmdgen.adopt.found import Found, Server, with_lists
from llmdgen.kube.workload import ROLE_LABEL, Manifest, workloads
from llmdgen.spec.fields import ROLES
from llmdgen.spec.model import DEFAULT_RELEASE
from llmdgen.untyped import at, mapping, maps

_MODEL = ("name", "uri", "size", "authSecretName")
_WHY = {
    "routing": "llmdgen makes the routing sidecar and its ports",
    "tracing": "a spec has no field for tracing",
    "multinode": "it follows from parallelism",
    "modelArtifacts.labels": "llmdgen labels its objects itself",
    "modelArtifacts.mountPath": "llmdgen mounts the weights itself",
    "autoscaling": "a spec has no field for it: point your autoscaler at the Deployment",
    "monitoring": "llmdgen makes a PodMonitor; monitoring.labels names its labels",
}
_OF_THE_PODS = (
    "containers",
    "initContainers",
    "volumes",
    "nodeSelector",
    "tolerations",
    "affinity",
    "imagePullSecrets",
    "terminationGracePeriodSeconds",
    "priorityClassName",
    "schedulerName",
)
_SIZES = {"tensor": "tensor-parallel-size", "data": "data-parallel-size", "dataLocal": "data-parallel-size-local"}


def is_modelservice(doc: dict[str, Any]) -> bool:
    """Whether these are values of that chart."""
    return "modelArtifacts" in doc or any(isinstance(at(doc, role, "containers"), list) for role in ROLES)


def read_values(doc: dict[str, Any], file: str, found: Found) -> None:
    """The model and the servers of each role that the values create."""
    accelerator = at(doc, "accelerator", "type")
    if accelerator not in (None, "", "nvidia"):
        found.leave(file, "accelerator.type", f"it is for {accelerator}, and llmdgen plans NVIDIA GPUs alone")
        return
    artifacts = mapping(doc.get("modelArtifacts"))
    for key, value in artifacts.items():
        if key in _MODEL and isinstance(value, str):
            if value and "{{" not in value:  # the chart fills in the name, which is the default of uri here too
                found.model[key] = value
        elif value:
            found.leave(file, f"modelArtifacts.{key}", _WHY.get(f"modelArtifacts.{key}", "a spec has no field for it"))
    for key, value in doc.items():
        if key not in ("modelArtifacts", "accelerator", *ROLES) and value not in ({}, [], "", None, False):
            found.leave(file, str(key), _WHY.get(key, "a spec has no field for it"))
    for role in ROLES:
        values = mapping(doc.get(role))
        if values and values.get("create") is not False:
            _read_role(role, values, artifacts, file, found)


def _read_role(role: str, values: dict[str, Any], artifacts: dict[str, Any], file: str, found: Found) -> None:
    sizes = mapping(values.get("parallelism"))
    workers = sizes.get("workers")
    groups = isinstance(workers, int) and workers > 1
    spec = {key: values[key] for key in _OF_THE_PODS if key in values}
    spec["containers"] = [_container(each, sizes, artifacts) for _, each in maps(values.get("containers"))]
    template = {"metadata": {"labels": {ROLE_LABEL: role}}, "spec": spec}
    replicas = {"replicas": values.get("replicas", 1)}
    body: dict[str, Any] = {**replicas, "template": template}
    if groups:
        body = {**replicas, "leaderWorkerTemplate": {"size": workers, "workerTemplate": template}}
    kind = "LeaderWorkerSet" if groups else "Deployment"
    manifest = Manifest("", 0, file, "", kind, role, "", with_lists({"spec": body}))
    workload = next(workloads([manifest], DEFAULT_RELEASE))
    if workload.vllm is None:
        found.leave(file, "containers", "none of them runs vllm serve", role)
        return
    found.servers.append(Server(file, role, role, workload, workload.vllm))
    for key, value in values.items():
        if key not in (*_OF_THE_PODS, "replicas", "parallelism", "create") and value not in ({}, [], "", None, False):
            why = _WHY.get(key, "a spec has no field for it")
            if key != "autoscaling" or at(value, "enabled") is not False:
                found.leave(file, str(key), why, role)


def _container(given: dict[str, Any], sizes: dict[str, Any], artifacts: dict[str, Any]) -> dict[str, Any]:
    """A container with the command that the chart writes for its modelCommand."""
    made = {key: value for key, value in given.items() if key not in ("modelCommand", "mountModelVolume")}
    if given.get("modelCommand") not in ("vllmServe", "imageDefault"):
        return made
    uri = str(artifacts.get("uri") or "")
    if "{{" in uri:
        uri = f"hf://{artifacts.get('name')}"
    path = uri.partition("://")[2].partition("/")[2]
    model = f"/model-cache/{path}" if uri.startswith("pvc://") else uri.partition("://")[2] or artifacts.get("name")
    words = [f"--{flag}={sizes[key]}" for key, flag in _SIZES.items() if isinstance(sizes.get(key), int)]
    args = given.get("args") if isinstance(given.get("args"), list) else []
    return {**made, "command": ["vllm", "serve"], "args": [str(model or "unknown"), *words, *(args or [])]}
