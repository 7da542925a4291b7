"""Instance types, by their EC2 names."""

from __future__ import annotations

from llmdgen.cli.topics.text import sections
from llmdgen.facts import catalogue
from llmdgen.facts.catalogue import UnknownFact
from llmdgen.facts.types import Instance


def names() -> list[str]:
    """Every instance type."""
    return list(catalogue.instance_names())


def explain(topic: str) -> str | None:
    """An instance type with what pods can have of it; `ml.` before the name is taken as well."""
    try:
        found = catalogue.instance(topic.lower())
    except UnknownFact:
        return None
    return sections(found.name, _rows(found), notes=found.notes + found.disagreements, sources=found.sources)


def _rows(found: Instance) -> dict[str, object]:
    efa = "none"
    if found.efa.interfaces:
        efa = f"{found.efa.interfaces} interfaces, generation {found.efa.generation or 'unknown'}"
        efa += f", RDMA {_yes(found.efa.rdma)}, GPUDirect {_yes(found.efa.gpudirect)}"
        efa += f", {found.efa.bandwidth_gbps} Gbit/s" if found.efa.bandwidth_gbps else ""
    memory = f", {found.gpu.memory_mib / 1024:g} GiB each" if found.gpu.memory_mib else ""
    rows: dict[str, object] = {
        "GPUs": f"{found.gpu.count} x {found.gpu.model}{memory}",
        "EFA": efa,
        "CPU": f"{found.vcpus} vCPUs, {found.architecture}",
        "memory": f"{found.memory_gib} GiB",
        "local NVMe": f"{found.nvme_gb} GB" if found.nvme_gb else "none",
        "HyperPod": found.hyperpod or "not offered",
    }
    for where, room in (("EKS", found.allocatable), ("HyperPod", found.hyperpod_allocatable)):
        if room:
            rows[f"for pods on {where}"] = f"{room.cpu_millis}m cpu, {room.memory_mib}Mi memory"
    return {**rows, "confidence": found.confidence}


def _yes(fact: bool | None) -> str:
    return "unknown" if fact is None else "yes" if fact else "no"
