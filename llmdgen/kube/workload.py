"""A pod template with what its pods are for, and its volumes, as rules look at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from llmdgen.kube.container import Container
from llmdgen.kube.manifest import Manifest
from llmdgen.quantities import bytes_or_none
from llmdgen.registry import Draft, found
from llmdgen.untyped import at, items, mapping, maps

ROLE_LABEL = "llm-d.ai/role"
SHARED_MEMORY = "/dev/shm"
_TEMPLATES: dict[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("spec", "template"),),
    "StatefulSet": (("spec", "template"),),
    "DaemonSet": (("spec", "template"),),
    "ReplicaSet": (("spec", "template"),),
    "Job": (("spec", "template"),),
    "LeaderWorkerSet": (
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
        ("spec", "leaderWorkerTemplate", "leaderTemplate"),
    ),
    "Pod": ((),),
}


class Workload:
    """A pod template of an object. A LeaderWorkerSet with a leader template has two of them."""

    def __init__(self, manifest: Manifest, route: tuple[str, ...], release: str) -> None:
        self.manifest = manifest
        self.route = route
        self.template = mapping(at(manifest.doc, *route))
        self.labels = mapping(at(self.template, "metadata", "labels"))
        self.annotations = mapping(at(self.template, "metadata", "annotations"))
        self.spec = mapping(self.template.get("spec"))
        self._release = release

    def __str__(self) -> str:
        return str(self.manifest)

    @property
    def namespace(self) -> str:
        return self.manifest.namespace

    @property
    def is_leader(self) -> bool:
        """Whether this is the template of a LeaderWorkerSet's first pod alone."""
        return self.route[-1:] == ("leaderTemplate",)

    @property
    def size(self) -> int:
        """Pods of one replica: a LeaderWorkerSet's size, 1 elsewhere."""
        size = at(self.manifest.doc, "spec", "leaderWorkerTemplate", "size")
        return size if isinstance(size, int) else 1

    @property
    def replicas(self) -> int:
        replicas = at(self.manifest.doc, "spec", "replicas")
        return replicas if isinstance(replicas, int) else 1

    @property
    def role(self) -> str:
        """prefill, decode or another value of the role label, "" without one."""
        return str(self.labels.get(ROLE_LABEL) or "")

    @property
    def node_selector(self) -> dict[str, Any]:
        return mapping(self.spec.get("nodeSelector"))

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """Every container, those that start first first."""
        return tuple(
            Container(mapping(each), (*self.route, "spec", key, index), self._release)
            for key in ("initContainers", "containers")
            for index, each in enumerate(items(self.spec.get(key)))
        )

    @cached_property
    def vllm(self) -> Container | None:
        """The container that runs `vllm serve`, None where the pod is not a model server."""
        return next((each for each in self.containers if each.serves), None)

    @cached_property
    def sidecar(self) -> Container | None:
        """The routing sidecar, None where the pod has none."""
        return next((each for each in self.containers if each.is_routing_sidecar), None)

    def found(self, *at: str | int, says: str, fix: str, on_key: bool = False) -> Draft:
        """A finding at a place in the object."""
        return found(*at, says=says, fix=fix, on_key=on_key, of=self.manifest)

    def in_template(self, *path: str | int) -> tuple[str | int, ...]:
        """The path, inside the object, of a path inside the pod template."""
        return (*self.route, *path)


def workloads(manifests: Iterable[Manifest], release: str) -> Iterator[Workload]:
    """Every pod template of the objects; `release` is the llm-d release, whose vLLM they run."""
    for manifest in manifests:
        for route in _TEMPLATES.get(manifest.kind, ()):
            if isinstance(at(manifest.doc, *route), dict):
                yield Workload(manifest, route, release)


def mounted_at(workload: Workload, container: Container, path: str) -> dict[str, Any] | None:
    """The volume on which a path of a container lies, None where it is the container's own file system."""
    best: dict[str, Any] | None = None
    for mount in container.list_of("volumeMounts"):
        folder = str(mount.get("mountPath") or "").rstrip("/")
        if path == folder or path.startswith(f"{folder}/"):
            longer = best is None or len(folder) > len(str(best.get("mountPath")))
            best = mount if longer else best
    if best is None:
        return None
    return next((each for _, each in maps(workload.spec.get("volumes")) if each.get("name") == best.get("name")), None)


def limit_of(volume: dict[str, Any]) -> Any:
    """The size limit of an emptyDir, None where it has none or is not an emptyDir."""
    return at(volume, "emptyDir", "sizeLimit")


def in_memory(workload: Workload, container: Container) -> Iterator[tuple[int, dict[str, Any], int | None]]:
    """The volumes in memory that a container mounts: the index of each, itself, and its limit in bytes, if any."""
    mounted = {each.get("name") for each in container.list_of("volumeMounts")}
    for index, volume in maps(workload.spec.get("volumes")):
        if at(volume, "emptyDir", "medium") == "Memory" and volume.get("name") in mounted:
            yield index, volume, bytes_or_none(limit_of(volume))
