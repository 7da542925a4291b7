"""Model servers as a part of a spec: size, resources, flags, environment, placement; and what has no place there."""

from __future__ import annotations

import re
from typing import Any

from llmdgen.adopt.found import Found, Leave, Server, rules, shortened, why
from llmdgen.engine.numbers import decimal
from llmdgen.kube.command_line import beside_serving
from llmdgen.kube.workload import SHARED_MEMORY, Container, mounted_at
from llmdgen.untyped import at, items, mapping, maps

GPU, EFA = "nvidia.com/gpu", "vpc.amazonaws.com/efa"
INSTANCE, ZONE = "node.kubernetes.io/instance-type", "topology.kubernetes.io/zone"
TRANSFER, EVENTS = "kv-transfer-config", "kv-events-config"
# What llmdgen writes itself, from the size of a role and from where the weights are.
_MADE_FLAGS = ("model", "served-model-name", "port", "host", "tensor-parallel-size", "enable-expert-parallel")
_MADE = (*_MADE_FLAGS, TRANSFER, EVENTS)
_PART_OF_THE_COMMAND = re.compile(r"[A-Z_]+=|--|'?[\"{]")
_FOR_INFINIBAND = ("NVSHMEM_", "UCX_", "NVIDIA_GDRCOPY")
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_SECONDS_AROUND_DRAIN = 30


def role_spec(server: Server, found: Found) -> dict[str, Any]:
    """What a spec says under `prefill` or `decode`."""
    workload, vllm = server.workload, server.vllm
    leave, flags = found.leaving(server), vllm.flags
    for refused in vllm.refused:
        leave(f"args {refused.flag}".strip(), str(refused))
    said: dict[str, Any] = {"replicas": max(1, workload.replicas), "parallelism": _parallelism(vllm)}
    said["resources"] = _resources(vllm, leave)
    if (count := vllm.count(EFA)) or vllm.quantity(EFA):
        said["efa"] = count
    if seconds := _startup(vllm.doc):
        said["startup"] = f"{-(-seconds // 60)}m"
    grace = workload.spec.get("terminationGracePeriodSeconds")
    if isinstance(grace, int) and grace > _SECONDS_AROUND_DRAIN:
        said["drain"] = f"{grace - _SECONDS_AROUND_DRAIN}s"
    said["args"] = {
        key: each for key, each in flags.items() if key not in _MADE and not key.startswith("data-parallel-")
    }
    said["env"] = _environment(vllm, leave)
    said["pod"] = {key: each for key in rules("pod")["passed"] if isinstance(each := workload.spec.get(key), str)}
    _leave_the_rest(server, found)
    return said


def placement(server: Server, found: Found) -> dict[str, Any]:
    """What a spec says of the nodes: `instance` and `zone`, further labels, tolerations, pull secrets."""
    leave, spec = found.leaving(server), server.workload.spec
    selector = {str(key): str(value) for key, value in server.workload.node_selector.items()}
    wanted = at(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    for _, term in maps(wanted):
        for _, each in maps(term.get("matchExpressions")):
            values = items(each.get("values"))
            if each.get("key") == INSTANCE and each.get("operator") == "In" and values:
                selector.setdefault(INSTANCE, str(values[0]))
                for other in values[1:]:
                    leave("affinity", f"{other} beside {values[0]}: instanceTypes renders a directory for each")
    tolerations = [each for _, each in maps(spec.get("tolerations"))]
    return {
        "instance": selector.pop(INSTANCE, ""),
        "zone": selector.pop(ZONE, ""),
        "nodeSelector": selector,
        "tolerations": [each for each in tolerations if each.get("key") not in (GPU, EFA)],
        "pullSecrets": [str(each["name"]) for _, each in maps(spec.get("imagePullSecrets")) if each.get("name")],
    }


def token_secret(vllm: Container) -> tuple[str, str]:
    """The Secret and the key in it that the Hugging Face token comes from, empty where there is none."""
    for each in vllm.list_of("env"):
        secret = at(each, "valueFrom", "secretKeyRef")
        if each.get("name") in _TOKENS and isinstance(secret, dict):
            return str(secret.get("name") or ""), str(secret.get("key") or "")
    return "", ""


def cache_tiers(server: Server, found: Found) -> dict[str, Any]:
    """The KV cache tiers below GPU memory, by vLLM's OffloadingConnector or LMCache; empty without one."""
    vllm, leave = server.vllm, found.leaving(server)
    tiers: dict[str, Any] = {}
    for connector in vllm.connectors:
        extra = mapping(connector.get("kv_connector_extra_config"))
        name = connector.get("kv_connector")
        if name == "OffloadingConnector":
            held = extra.get("cpu_bytes_to_use")
            tiers["cpu"] = {"connector": "offloading"} | ({"size": _gibibytes(held)} if isinstance(held, int) else {})
            for _, tier in maps(extra.get("secondary_tiers")):
                tiers |= _files_tier(server, str(tier.get("root_dir") or ""))
        elif name == "LMCacheConnectorV1":
            held = int(min(decimal(vllm.variables.get("LMCACHE_MAX_LOCAL_CPU_SIZE"), 0), 1e6) * 10**9)
            tiers["cpu"] = {"connector": "lmcache"} | ({"size": _gibibytes(held)} if held > 0 else {})
            if folder := vllm.variables.get("LMCACHE_LOCAL_DISK", "").removeprefix("file://"):
                tiers |= _files_tier(server, folder)
        elif name not in ("NixlConnector", "MultiConnector"):
            leave(f"args --{TRANSFER}", f"llmdgen has no KV connector {name}")
        elif name == "NixlConnector" and extra.get("backends") not in (None, ["LIBFABRIC"]):
            leave(f"args --{TRANSFER}", f"backends {extra['backends']}: only LIBFABRIC drives EFA; transfer.backend")
    return tiers


def _parallelism(vllm: Container) -> dict[str, Any]:
    flags, workers = vllm.flags, vllm.workload.size
    said: dict[str, Any] = {"tensor": vllm.size("tensor-parallel-size", 1)}
    ranks, local = vllm.size("data-parallel-size", 1), flags.get("data-parallel-size-local")
    if workers > 1 or isinstance(local, int):
        local = local if isinstance(local, int) else 1
        said |= {"data": local * workers, "dataLocal": local, "workers": workers}
    elif ranks > 1:
        said |= {"data": ranks, "dataLocal": ranks}
    return said | ({"expert": True} if flags.get("enable-expert-parallel") is True else {})


def _resources(vllm: Container, leave: Leave) -> dict[str, str]:
    said = {}
    for name, side in (("cpu", "requests"), ("memory", "limits")):
        if amount := vllm.quantity(name, side) or vllm.quantity(name):
            said[name] = amount
    if limit := at(mounted_at(vllm, SHARED_MEMORY), "emptyDir", "sizeLimit"):
        said["shm"] = str(limit)
    for name in {**mapping(at(vllm.doc, "resources", "limits")), **mapping(at(vllm.doc, "resources", "requests"))}:
        if name.startswith("rdma/"):
            leave(f"resources {name}", "EFA interfaces take the place of InfiniBand's")
        elif name == GPU and vllm.count(GPU) not in (0, vllm.gpus):
            leave(f"resources {name}", f"{vllm.count(GPU)} GPUs, and the engine uses {vllm.gpus}: these are asked for")
        elif name not in rules("resources")["read"]:
            leave(f"resources {name}", why("resources", name))
    return said


def _startup(container: dict[str, Any]) -> int:
    """Seconds until the start-up probe gives up, 0 without one."""
    probe = mapping(container.get("startupProbe"))
    period, most = probe.get("periodSeconds"), probe.get("failureThreshold")
    return min(max(period * most, 0), 10**6) if isinstance(period, int) and isinstance(most, int) else 0


def _environment(vllm: Container, leave: Leave) -> dict[str, str]:
    """Variables with a value that means the same in another image, on other volumes."""
    scripts = " ".join(each for _, each in vllm.texts() if "\n" in each)
    used = set(re.findall(r"\$[{(]*(\w+)", scripts)) | set(re.findall(r"\$\(\([^)]*?(\w+) *\)\)", scripts))
    token = token_secret(vllm)[0]
    said = {}
    for each in vllm.list_of("env"):
        name = str(each.get("name"))
        value = vllm.variables.get(name, "")
        if each.get("valueFrom") is not None:
            if not token or name not in _TOKENS:
                leave(f"env {name}", "it comes from elsewhere; llmdgen sets what its paths need, decode.pod the rest")
        elif name in used or name.startswith("LMCACHE_"):
            continue  # its value is in the flags by now, or cache says it
        elif name.startswith(_FOR_INFINIBAND):
            leave(f"env {name}", "it is for InfiniBand; EFA is driven by libfabric")
        elif value.startswith(("/", "file:/")):
            leave(f"env {name}", f"{shortened(value)} is a path of another image or volume")
        elif "$(" in value:
            leave(f"env {name}", "it refers to a variable that is known only in the cluster")
        else:
            said[name] = value
    return said


def _leave_the_rest(server: Server, found: Found) -> None:
    """Name what nobody has read of the pod and of vLLM's container."""
    spec, vllm, leave = server.workload.spec, server.vllm, found.leaving(server)
    found.leave_rest(server.file, {**spec, **vllm.doc}, "pod", role=server.role)
    for container in server.workload.containers:
        says = "llmdgen makes the routing sidecar" if container.is_routing_sidecar else "decode.pod can add a container"
        if container is not vllm:
            leave(f"container {container.name}", says)
    shm, kept = at(mounted_at(vllm, SHARED_MEMORY), "name"), []
    for _, volume in maps(spec.get("volumes")):
        name = str(volume.get("name"))
        if at(volume, "emptyDir") is None:
            leave(f"volume {name}", "what is not the model's or a cache tier's is mounted by decode.pod")
        elif name != shm:
            kept.append(name)
    if kept:
        leave(f"volumes {', '.join(kept)}", "llmdgen has its own volume for caches")
    for script in (text for _, text in vllm.texts() if "\n" in text and "vllm serve" in text):
        lines = [line for line in beside_serving(script).splitlines() if not _PART_OF_THE_COMMAND.match(line)]
        if lines:
            leave("args", f"the script's other lines are not run: {shortened('; '.join(lines))}")


def _files_tier(server: Server, folder: str) -> dict[str, Any]:
    """A tier of files: on a shared claim, or on the node's own disk."""
    volume = mounted_at(server.vllm, folder.rstrip("/")) if folder else None
    claim = at(volume, "persistentVolumeClaim", "claimName")
    if isinstance(claim, str):
        return {"storage": {"claim": claim}}
    path = at(volume, "hostPath", "path")
    return {"disk": {"path": path} if isinstance(path, str) else {}}


def _gibibytes(held: int) -> str:
    return f"{max(1, held // 2**30)}Gi"
