"""Values of the chart llm-d-modelservice as the pods that it would make of them."""

from __future__ import annotations

from typing import Any

from llmdgen.adopt.found import Found, rules, server_of
from llmdgen.kube.workload import ROLE_LABEL
from llmdgen.spec.fields import ROLES
from llmdgen.untyped import at, items, mapping, maps

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
    for key in rules("modelArtifacts")["read"]:
        value = artifacts.get(key)
        if isinstance(value, str) and value and "{{" not in value:  # the chart fills in the name, the default here too
            found.model[key] = value
    found.leave_rest(file, artifacts, "modelArtifacts", under="modelArtifacts.")
    found.leave_rest(file, doc, "modelservice")
    for role in ROLES:
        values = mapping(doc.get(role))
        if values and values.get("create") is not False:
            _read_role(role, values, artifacts, file, found)


def _read_role(role: str, values: dict[str, Any], artifacts: dict[str, Any], file: str, found: Found) -> None:
    sizes, of_the_pod = mapping(values.get("parallelism")), rules("role")["pod"]
    spec = {key: value for key, value in values.items() if key in of_the_pod}
    spec["containers"] = [_container(each, sizes, artifacts) for _, each in maps(values.get("containers"))]
    template = {"metadata": {"labels": {ROLE_LABEL: role}}, "spec": spec}
    kind, workers = "Deployment", sizes.get("workers")
    body: dict[str, Any] = {"template": template}
    if isinstance(workers, int) and workers > 1:
        kind, body = "LeaderWorkerSet", {"leaderWorkerTemplate": {"size": workers, "workerTemplate": template}}
    server = server_of({"spec": {"replicas": values.get("replicas", 1), **body}}, kind, role, file)
    if server is None:
        found.leave(file, "containers", "none of them runs vllm serve", role)
        return
    found.servers.append(server)
    found.leave_rest(file, {key: values[key] for key in values if key not in of_the_pod}, "role", role=role)


def _container(given: dict[str, Any], sizes: dict[str, Any], artifacts: dict[str, Any]) -> dict[str, Any]:
    """A container with the command that the chart writes for its modelCommand."""
    made = {key: value for key, value in given.items() if key not in ("modelCommand", "mountModelVolume")}
    if given.get("modelCommand") not in ("vllmServe", "imageDefault"):
        return made
    scheme, _, place = str(artifacts.get("uri") or "").partition("://")
    model = f"/model-cache/{place.partition('/')[2]}" if scheme == "pvc" else place
    if not model or "{{" in place:
        model = str(artifacts.get("name") or "unknown")
    words = [f"--{flag}={sizes[key]}" for key, flag in _SIZES.items() if isinstance(sizes.get(key), int)]
    return {**made, "command": ["vllm", "serve"], "args": [model, *words, *items(given.get("args"))]}
