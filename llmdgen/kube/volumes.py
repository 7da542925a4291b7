"""Volumes of a pod: which of them a path of a container lies on, and how much it may hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.kube.container import Container
from llmdgen.kube.workload import Workload
from llmdgen.quantities import bytes_or_none
from llmdgen.untyped import at, maps

SHARED_MEMORY = "/dev/shm"


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
