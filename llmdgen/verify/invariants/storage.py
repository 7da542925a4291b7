"""What a model server writes to: shared memory, the model's volume, caches, and the memory that holds KV blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.facts.catalogue import UnknownFact, model
from llmdgen.kube.container import Container
from llmdgen.kube.workload import Workload
from llmdgen.quantities import MIB, to_bytes
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at
from llmdgen.verify.invariants.pods import limit_of, mounted_at
from llmdgen.verify.rendered import Rendered

SHARED_MEMORY = "/dev/shm"
_OFFLOADING = "OffloadingConnector"
_CACHE_DIRECTORY = re.compile(r"(CACHE\w*|HF_HOME|WORKSPACE_BASE|CCACHE_DIR)$")
_TRITON = "TRITON_CACHE_DIR"
# Where a user without a home, as the image's, has ~/.cache and ~/.config.
_HOME_DIRECTORIES = ("/.cache", "/.config")


@rule("VER052", "error", "a model server has no shared memory")
def shared_memory_is_there(rendered: Rendered) -> Iterator[Draft]:
    """vLLM's processes and NCCL talk through /dev/shm, of which a container has 64 MiB unless a volume lies there: with
    several GPUs they die of a bus error. A volume that is not in memory makes the same exchange go through a disk.

    Fails:  no mount at /dev/shm, or an emptyDir without medium: Memory.
    Passes: an emptyDir of medium Memory with a sizeLimit, mounted at /dev/shm.
    """
    for workload, vllm in _servers(rendered):
        volume = mounted_at(workload, vllm, SHARED_MEMORY)
        if volume is None or at(volume, "emptyDir", "medium") != "Memory":
            says = "lies on a volume that is not in memory" if volume else "is the container's own, of 64 MiB"
            fix = f"mount an emptyDir of medium Memory at {SHARED_MEMORY}"
            yield found(*vllm.route, "volumeMounts", says=f"{SHARED_MEMORY} {says}", fix=fix, of=workload.manifest)


@rule("VER053", "error", "a cache directory lies on no volume")
def caches_lie_on_volumes(rendered: Rendered) -> Iterator[Draft]:
    """The release's image runs as a user who owns no directory: vLLM's, Triton's and the kernels' caches, below / where
    HOME is not set, must be on volumes, or the engine stops when it first writes there. Weights that go to the
    container's own file system fill the node's root disk and are fetched again after each crash.

    Fails:  TRITON_CACHE_DIR=/.triton-cache and no volume there, or no TRITON_CACHE_DIR; no volume at /.cache.
    Passes: an emptyDir mounted at each directory that the environment names, at /.cache and at /.config.
    """
    last = rendered.release.images.get("model_server", "").rpartition("/")[2].partition(":")[0]
    for workload, vllm in _servers(rendered):
        if not last or last not in vllm.image or not rendered.release.model_server().user_id:
            continue
        wanted = {name: path for name, path in vllm.variables.items() if _CACHE_DIRECTORY.search(name)}
        if "HOME" not in vllm.variables:
            wanted |= {f"~{path[1:]}": path for path in _HOME_DIRECTORIES}
            if _TRITON not in vllm.variables:
                says = f"{_TRITON} is not set, and Triton would write to /.triton"
                yield found(*vllm.route, "env", says=says, fix=f"set {_TRITON} to a mounted path", of=workload.manifest)
        for name, path in wanted.items():
            if path.startswith("/") and mounted_at(workload, vllm, path.rstrip("/")) is None:
                says = f"{path} ({name}) lies on no volume"
                yield found(
                    *vllm.route, "volumeMounts", says=says, fix=f"mount an emptyDir at {path}", of=workload.manifest
                )


@rule("VER054", "error", "the model's volume is smaller than the model")
def model_fits_its_volume(rendered: Rendered) -> Iterator[Draft]:
    """A pod that writes more than an emptyDir's sizeLimit is evicted, here after it has fetched most of the weights,
    and again and again. Known for the models of the catalogue, by the size of their files.

    Fails:  sizeLimit 50Gi under HF_HOME for openai/gpt-oss-120b.
    Passes: a volume as large as the repository's files.
    """
    for workload, vllm in _servers(rendered):
        home, name = vllm.variables.get("HF_HOME"), str(vllm.flags.get("model") or "")
        volume = mounted_at(workload, vllm, home.rstrip("/")) if home else None
        try:
            wanted = model(name).weight_bytes
        except UnknownFact:
            continue
        size = _bytes(limit_of(volume)) if volume else 0
        if size and size < wanted:
            says = f"the volume at {home} may hold {size // MIB} MiB, {name} has {wanted // MIB} MiB of weights"
            yield found(*workload.in_template("spec", "volumes"), says=says, fix="make it larger", of=workload.manifest)


@rule("VER055", "error", "caches in memory do not fit into it")
def caches_fit_the_memory(rendered: Rendered) -> Iterator[Draft]:
    """KV blocks that move to CPU memory are allocated at start, beside /dev/shm and the engine itself. More than the
    memory limit is an out-of-memory kill during start, every time.

    Fails:  cpu_bytes_to_use of 100 GiB in a container with a limit of 64Gi.
    Passes: cpu_bytes_to_use plus /dev/shm below the limit.
    """
    for workload, vllm in _servers(rendered):
        limit = _bytes(vllm.quantity("memory"))
        shared = mounted_at(workload, vllm, SHARED_MEMORY)
        cache = cpu_cache(vllm)
        need = cache + (_bytes(limit_of(shared)) if shared else 0)
        if cache and limit and need >= limit:
            says = f"{need // MIB} MiB of KV cache and {SHARED_MEMORY} in a limit of {limit // MIB} MiB"
            yield found(
                *vllm.route, "resources", says=says, fix="raise memory, or lower the cache", of=workload.manifest
            )


def cpu_cache(vllm: Container) -> int:
    """Bytes of CPU memory that a pod keeps KV blocks in; each of its data parallel ranks has an OffloadingConnector."""
    ranks = vllm.size("data-parallel-size-local", vllm.size("data-parallel-size", 1))
    for connector in vllm.connectors:
        if connector.get("kv_connector") == _OFFLOADING:
            size = at(connector, "kv_connector_extra_config", "cpu_bytes_to_use")
            return size * ranks if isinstance(size, int) else 0
    return 0


def _servers(rendered: Rendered) -> Iterator[tuple[Workload, Container]]:
    for workload in rendered.model_servers:
        if workload.vllm is not None:
            yield workload, workload.vllm


def _bytes(quantity: object) -> int:
    try:
        return to_bytes(str(quantity)) if quantity is not None else 0
    except ValueError:
        return 0
