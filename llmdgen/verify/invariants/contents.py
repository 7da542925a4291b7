"""What a pod is made of, taken at its word: names of variables, places of volumes, labels, and that there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.composition.names import model_label
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at
from llmdgen.verify.invariants.resources import EFA, GPU
from llmdgen.verify.rendered import Rendered

# Kubernetes takes any printable ASCII but = as a variable's name, a shell only this.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# Directories of every image without which nothing in it starts.
_OF_THE_IMAGE = ("/", "/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/sbin", "/sys", "/usr")
_MODEL, _VENDOR = "llm-d.ai/model", "llm-d.ai/accelerator-vendor"
_NVIDIA = "nvidia"
_SCALED = ("Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet")


@rule("VER103", "error", "a volume hides what the image needs")
def volumes_hide_nothing(rendered: Rendered) -> Iterator[Draft]:
    """A volume covers what the image has at its path. An empty one at / or /usr leaves nothing to start, and the
    container ends before its first line of output.

    Fails:  mountPath: / for a volume in memory.
    Passes: /dev/shm, /model-cache, /.cache.
    """
    for workload in rendered.workloads:
        for container in workload.containers:
            for index, mount in enumerate(container.list_of("volumeMounts")):
                path = str(mount.get("mountPath") or "")
                if path and (path.rstrip("/") or "/") in _OF_THE_IMAGE:
                    place = (*container.route, "volumeMounts", index, "mountPath")
                    says = f"{mount.get('name')} would cover the image's own {path}"
                    yield found(*place, says=says, fix="mount it at a directory of its own", of=workload.manifest)


@rule("VER104", "warning", "a label does not say what the pods are")
def labels_say_what_pods_are(rendered: Rendered) -> Iterator[Draft]:
    """Dashboards and quotas go by the labels llm-d.ai/model and llm-d.ai/accelerator-vendor, and a pool finds the pods
    of its own deployment by llm-d.ai/deployment. Nothing stops working when they are wrong, until a second deployment
    shares the namespace, or somebody reads them.

    Fails:  llm-d.ai/accelerator-vendor: amd on pods with nvidia.com/gpu; a pool that does not select
            llm-d.ai/deployment, which its pods carry.
    Passes: the last part of the served model's name as llm-d.ai/model; neither of the two labels.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is None or not {_MODEL, _VENDOR} & set(workload.labels):
            continue
        served = str(vllm.flags.get("served-model-name") or vllm.flags.get("model") or "")
        wanted = {_MODEL: model_label(served) if served else None, _VENDOR: _NVIDIA if vllm.count(GPU) else None}
        for key, value in wanted.items():
            if value is not None and workload.labels.get(key) != value:
                says = f"it is {workload.labels.get(key) or 'missing'}, the pods are {value}"
                place = workload.in_template("metadata", "labels", key)
                yield found(*place, says=says, fix=f"write {value}", of=workload.manifest)
    yield from _pools(rendered)


def _pools(rendered: Rendered) -> Iterator[Draft]:
    deployment = "llm-d.ai/deployment"
    for pool in rendered.pools:
        selector = at(pool.doc, "spec", "selector", "matchLabels") or at(pool.doc, "spec", "selector")
        carried = {each.labels.get(deployment) for each in rendered.model_servers if each.namespace == pool.namespace}
        ours = isinstance(selector, dict) and any(str(key).startswith("llm-d.ai/") for key in selector)
        if ours and deployment not in selector and len(carried - {None}) == 1:
            says = f"it does not select {deployment}, and would take another deployment's pods too"
            yield found("spec", "selector", says=says, fix=f"add {deployment}: {carried.pop()}", of=pool)


@rule("VER105", "error", "nobody is there to answer")
def somebody_is_there(rendered: Rendered) -> Iterator[Draft]:
    """A workload with no replicas is installed without an error and answers nothing: without its scheduler a pool
    schedules no request, and without model servers there is nothing to schedule on.

    Fails:  inferenceExtension.replicas: 0.
    Passes: one replica or more, or none written where an autoscaler sets them.
    """
    for manifest in rendered.manifests:
        if manifest.kind in _SCALED and at(manifest.doc, "spec", "replicas") == 0:
            yield found("spec", "replicas", says="it is 0", fix="set it to 1 or more", of=manifest)


@rule("VER106", "error", "an environment variable has no name that Kubernetes takes")
def variables_have_names(rendered: Rendered) -> Iterator[Draft]:
    """The API server refuses a container whose variable has no name, or one with = or a space in it.

    Fails:  `- name: ""` in env; `- name: FI_PROVIDER=efa`.
    Passes: FI_PROVIDER.
    """
    for workload in rendered.workloads:
        for container in workload.containers:
            for index, name in enumerate(container.names):
                if not _VARIABLE.fullmatch(name) or name == "None":
                    place = (*container.route, "env", index, "name")
                    says = f"it is {name!r}" if name not in ("", "None") else "it has none"
                    yield found(*place, says=says, fix="write letters, digits and _ only", of=workload.manifest)


@rule("VER107", "warning", "a device is limited, and its request left to the API server")
def devices_are_requested(rendered: Rendered) -> Iterator[Draft]:
    """The API server fills in a request that is missing with the limit. Quotas, dashboards and tools that read
    manifests before it does see a pod that asks for none.

    Fails:  vpc.amazonaws.com/efa under limits alone.
    Passes: the same number under limits and requests.
    """
    for workload in rendered.model_servers:
        for container in workload.containers:
            for resource in (GPU, EFA):
                limit, request = container.quantity(resource), container.quantity(resource, "requests")
                if limit not in (None, "0") and request is None:
                    place = (*container.route, "resources", "requests")
                    says = f"{resource} is limited to {limit} and not requested"
                    yield found(*place, says=says, fix=f"write {resource}: {limit} there too", of=workload.manifest)
