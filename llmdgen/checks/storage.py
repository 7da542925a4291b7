"""What a model server writes to: shared memory, the model's volume, caches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.kube.servers import Engine, Servers
from llmdgen.kube.workload import SHARED_MEMORY, image_name, limit_of, mounted_at
from llmdgen.quantities import GIB, bytes_or_none
from llmdgen.registry import Draft, rule
from llmdgen.untyped import at, items

_CACHE_DIRECTORY = re.compile(r"(CACHE\w*|HF_HOME|WORKSPACE_BASE|CCACHE_DIR)$")


@rule("VER052", "error", "a model server has no shared memory")
def shared_memory_is_there(vllm: Engine) -> Iterator[Draft]:
    """vLLM's processes and NCCL talk through /dev/shm, of which a container has 64 MiB unless a volume lies there: with
    several GPUs they die of a bus error. A volume that is not in memory makes the same exchange go through a disk.

    Fails:  no mount at /dev/shm, or an emptyDir without medium: Memory.
    Passes: an emptyDir of medium Memory with a sizeLimit, mounted at /dev/shm.
    """
    volume = mounted_at(vllm, SHARED_MEMORY)
    if volume is None or at(volume, "emptyDir", "medium") != "Memory":
        says = "lies on a volume that is not in memory" if volume else "is the container's own, of 64 MiB"
        fix = f"mount an emptyDir of medium Memory at {SHARED_MEMORY}"
        yield vllm.found("volumeMounts", says=f"{SHARED_MEMORY} {says}", fix=fix)


@rule("VER053", "error", "a cache directory lies on no volume")
def caches_lie_on_volumes(servers: Servers) -> Iterator[Draft]:
    """An image keeps weights and compiled kernels in the container's own file system unless variables say otherwise:
    they fill the node's root disk, are made again after each crash, and a user who owns no directory stops at the first
    of them. The release's facts name the variables of each of its images.

    Fails:  TRITON_CACHE_DIR=/.triton-cache and no volume there, or no TRITON_CACHE_DIR.
    Passes: an emptyDir mounted at, or above, each directory that these variables name.
    """
    for vllm in servers.engines:
        variants = servers.release.model_servers.values()
        image = next((each for each in variants if image_name(each.image) == image_name(vllm.image)), None)
        if image is None:
            continue
        for name in image.caches:
            if name not in vllm.names:
                says = f"{name} is not set, and the image would write to the container's own layer"
                yield vllm.found("env", name, says=says, fix=f"set {name} to a mounted path")
        for name, path in vllm.variables.items():
            is_cache = name in image.caches or _CACHE_DIRECTORY.search(name)
            if is_cache and path.startswith("/") and mounted_at(vllm, path.rstrip("/")) is None:
                fix = f"mount an emptyDir at {path}"
                yield vllm.found("env", name, says=f"{path} ({name}) lies on no volume", fix=fix)


@rule("MOD013", "error", "a model volume smaller than the weights")
def weights_fit_the_volume(servers: Servers) -> Iterator[Draft]:
    """Each pod downloads the weights into its model volume, and the kubelet evicts a pod that fills it beyond its size,
    here after most of the weights were fetched, and again and again.

    Fails:  `{model: {name: openai/gpt-oss-120b, size: 50Gi}}`, which has 61 GiB.
    Passes: `{model: {name: openai/gpt-oss-120b, size: 250Gi}}`; `{model: {name: openai/gpt-oss-120b}}`.
    """
    model = servers.model
    for vllm in servers.engines:
        home = vllm.variables.get("HF_HOME")
        volume = mounted_at(vllm, home.rstrip("/")) if home else None
        size = bytes_or_none(limit_of(volume)) if volume else None
        if model is None or volume is None or not size or size >= model.weight_bytes:
            continue
        asked, enough = limit_of(volume), -(-model.weight_bytes * 5 // 4 // (10 * GIB)) * 10
        place = vllm.workload.in_template("spec", "volumes", items(vllm.workload.spec.get("volumes")).index(volume))
        says = f"the weights of {model.id} are {model.weight_bytes / GIB:.1f} GiB, the volume is {asked}"
        yield vllm.workload.found(*place, says=says, fix=f"remove size, or set size: {enough}Gi")
