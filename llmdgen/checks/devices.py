"""Devices, cpu and memory of containers: asked for as the API server takes them, and used by vLLM."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.kube.node import efa, gpu
from llmdgen.kube.servers import Engine, ModelServer
from llmdgen.kube.workload import Container
from llmdgen.quantities import bytes_or_none, millis_or_none
from llmdgen.registry import Draft, rule
from llmdgen.untyped import at, mapping

_KEYS = ("limits", "requests", "claims")
_PLAIN = ("cpu", "memory", "ephemeral-storage")
_EXTENDED = re.compile(r"hugepages-\w+|[a-z0-9.-]+/[A-Za-z0-9_.-]+")


@rule("VER060", "error", "a device or huge pages are requested otherwise than limited")
def devices_are_requested_as_limited(container: Container) -> Iterator[Draft]:
    """Extended resources cannot be overcommitted: the API server refuses a pod whose request differs from the limit,
    and one that asks for part of a device. Huge pages follow the same rule.

    Fails:  `{path: pd-disaggregation, decode: {pod: {containers: [{name: vllm, resources: {requests:
            {vpc.amazonaws.com/efa: "1"}}}]}}}`.
    Passes: `{path: pd-disaggregation}`.
    """
    for name in _resources(container):
        if name in _PLAIN:
            continue
        limit, request = container.quantity(name), container.quantity(name, "requests")
        # A limit without a request is a request too, but not the other way round.
        if limit is None or (request is not None and request != limit):
            says = f"container {container.name} limits {name} to {limit} and requests {request}"
            fix = "write the same amount in limits and requests"
        elif not name.startswith("hugepages-") and not limit.isdigit():
            says, fix = f"{name} is {limit}, a device is whole", "ask for a whole number"
        else:
            continue
        yield container.found("resources", "limits", name, says=says, fix=fix)


def _resources(container: Container) -> list[str]:
    resources = mapping(container.doc.get("resources"))
    return sorted({*map(str, mapping(resources.get("limits"))), *map(str, mapping(resources.get("requests")))})


@rule("VER061", "warning", "a model server's cpu or memory is limited otherwise than requested")
def model_servers_get_what_they_use(vllm: Engine) -> Iterator[Draft]:
    """With requests equal to limits for every resource the pod is of class Guaranteed: it is the last to be evicted,
    and its node has what it may use. A model server that is evicted loads its weights again for minutes.

    Fails:  `{decode: {pod: {containers: [{name: vllm, resources: {requests: {memory: 64Gi}}}]}}}`.
    Passes: `{decode: {resources: {memory: 128Gi}}}`.
    """
    for name in ("cpu", "memory"):
        limit, request = vllm.quantity(name), vllm.quantity(name, "requests")
        if limit is None or (request is not None and request != limit):
            says = f"{name} is limited to {limit} and requested as {request}"
            fix = f"write the same {name} in limits and requests"
            yield vllm.found("resources", "limits", name, says=says, fix=fix)


@rule("VER066", "error", "vLLM uses another number of GPUs than the pod gets")
def gpus_match_the_parallelism(vllm: Engine) -> Iterator[Draft]:
    """Tensor parallel size times the pod's data parallel ranks is what vLLM uses: with fewer GPUs it does not start,
    with more the rest is idle and paid for.

    Fails:  `{decode: {parallelism: {tensor: 2}, pod: {containers: [{name: vllm, resources: {limits: {nvidia.com/gpu:
            "1"}, requests: {nvidia.com/gpu: "1"}}}]}}}`.
    Passes: `{decode: {parallelism: {tensor: 2}}}`.
    """
    if vllm.gpus != vllm.count(gpu()):
        says = f"vLLM uses {vllm.gpus} GPUs, the container gets {vllm.count(gpu())}"
        yield vllm.found("resources", "limits", gpu(), says=says, fix="make parallelism and nvidia.com/gpu agree")


@rule("VER068", "error", "a pod asks for a device that no node on AWS has")
def devices_exist(container: Container) -> Iterator[Draft]:
    """The guides ask for rdma/ib, which is InfiniBand's. No device plugin of EKS offers it, and the pod stays Pending.

    Fails:  `{decode: {pod: {containers: [{name: vllm, resources: {limits: {rdma/ib: "1"}, requests: {rdma/ib:
            "1"}}}]}}}`.
    Passes: `{path: pd-disaggregation}`.
    """
    for name in _resources(container):
        if "/" in name and name not in (gpu(), efa()):
            says = f"container {container.name} asks for {name}"
            fix = f"ask for {efa()} instead" if name.startswith("rdma/") else f"use {gpu()} and {efa()} only"
            yield container.found("resources", "limits", name, says=says, fix=fix)


@rule("VER107", "warning", "a device is limited, and its request left to the API server")
def devices_are_requested(workload: ModelServer) -> Iterator[Draft]:
    """The API server fills in a request that is missing with the limit. Quotas, dashboards and tools that read
    manifests before it does see a pod that asks for none.

    Fails:  `{decode: {pod: {containers: [{name: vllm, resources: {requests: {nvidia.com/gpu: null}}}]}}}`.
    Passes: `{decode: {parallelism: {tensor: 2}}}`.
    """
    for container in workload.containers:
        for resource in (gpu(), efa()):
            limit, request = container.quantity(resource), container.quantity(resource, "requests")
            if limit not in (None, "0") and request is None:
                says = f"{resource} is limited to {limit} and not requested"
                yield container.found("resources", "requests", says=says, fix=f"write {resource}: {limit} there too")


@rule("VER073", "error", "a pod with EFA may not lock memory")
def efa_pods_lock_memory(vllm: Engine) -> Iterator[Draft]:
    """EFA registers memory for remote access and so pins it. Without the capability IPC_LOCK the registration of
    gigabytes of KV cache fails at start.

    Fails:  `{path: pd-disaggregation, decode: {pod: {containers: [{name: vllm, securityContext: {capabilities:
            null}}]}}}`.
    Passes: `{path: pd-disaggregation}`.
    """
    if vllm.count(efa()) and not {"IPC_LOCK", "ALL"} & {*vllm.capabilities()}:
        says = f"container {vllm.name} has EFA interfaces and not the capability IPC_LOCK"
        yield vllm.found("securityContext", says=says, fix="add IPC_LOCK to securityContext.capabilities.add")


@rule("VER115", "warning", "a capability that the container's user does not get")
def efa_containers_are_root(vllm: Engine) -> Iterator[Draft]:
    """Kubernetes gives the capabilities that a container adds to root alone: any other user has IPC_LOCK in vain, and
    locks no more memory than the node lets everybody, 8 MiB on Amazon Linux 2023 (nvidia-container-toolkit issue 2037).

    Fails:  `{path: pd-disaggregation, decode: {pod: {containers: [{name: vllm, securityContext: {runAsUser:
            2000}}]}}}`.
    Passes: `{path: pd-disaggregation}`, whose containers with EFA are root.
    """
    user = vllm.security("runAsUser")
    if vllm.count(efa()) and user:
        says = f"as user {user} container {vllm.name} gets no IPC_LOCK, and EFA registers gigabytes"
        fix = "set runAsUser: 0 in its securityContext, or raise the memory lock limit of the nodes and suppress VER115"
        yield vllm.found("securityContext", "runAsUser", says=says, fix=fix)


@rule("VER108", "error", "a container's resources are none that Kubernetes takes")
def resources_are_taken(container: Container) -> Iterator[Draft]:
    """The API server refuses a resource without a domain that it does not know, and a request above the limit.

    Fails:  `{decode: {pod: {containers: [{name: vllm, resources: {limits: {cpus: "16"}}}]}}}`; requests above the
            limit; `limit:` instead of limits.
    Passes: `{decode: {pod: {containers: [{name: vllm, resources: {limits: {cpu: "16"}, requests: {cpu: "16"}}}]}}}`.
    """
    for path, says, fix in wrong_amounts(container.doc.get("resources")):
        yield container.found("resources", *path, says=says, fix=fix)


def wrong_amounts(resources: Any) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What is wrong with the resources of a container, and where in them."""
    given = mapping(resources)
    for key in given:
        if key not in _KEYS:
            yield (str(key),), "Kubernetes has no such field", f"write one of {', '.join(_KEYS)}"
    for side in ("limits", "requests"):
        for name in mapping(given.get(side)):
            if name not in _PLAIN and not _EXTENDED.fullmatch(str(name)):
                fix = f"write one of {', '.join(_PLAIN)}, or a name with its domain"
                yield (side, str(name)), "Kubernetes has no such resource", fix
    for name, number in (
        ("cpu", millis_or_none),
        ("memory", bytes_or_none),
    ):  # what is neither is the schema's business
        limit, request = at(given, "limits", name), at(given, "requests", name)
        most, asked = number(limit), number(request)
        if most is not None and asked is not None and asked > most:
            says = f"{request} is requested under a limit of {limit}"
            yield ("requests", name), says, "request at most the limit"
