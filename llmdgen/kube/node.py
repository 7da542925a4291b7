"""The node that a pod template selects, what one of its pods asks of it, and which taints pods tolerate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from llmdgen.facts.catalogue import HYPERPOD_PREFIX, UnknownFact, instance
from llmdgen.facts.types import Instance
from llmdgen.findings import Route
from llmdgen.kube.container import Container
from llmdgen.kube.platform import efa, gpu, instance_type_label
from llmdgen.kube.room import UNLIMITED, Need
from llmdgen.kube.workload import Workload
from llmdgen.quantities import MIB, bytes_or_none, millis_or_none
from llmdgen.untyped import at, items, mapping

HUGEPAGES = "hugepages-2Mi"
REPELLING = ("NoSchedule", "NoExecute")  # effects of taints


def instance_types(workload: Workload) -> list[str]:
    """The instance types that the pods select, by node selector or required node affinity."""
    label = instance_type_label()
    selected = workload.node_selector.get(label)
    if selected is not None:
        return [str(selected)]
    terms = at(
        workload.spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"
    )
    return [
        str(value)
        for term in items(terms)
        for expression in map(mapping, items(mapping(term).get("matchExpressions")))
        if expression.get("key") == label and expression.get("operator") == "In"
        for value in items(expression.get("values"))
    ]


@cache  # every rule about room asks for the few types of a deployment
def known(name: str) -> Instance | None:
    """The facts of an instance type, None where there are none."""
    try:
        return instance(name)
    except UnknownFact:
        return None


def node_of(workload: Workload) -> Instance | None:
    """The facts of the one instance type that the pods select, None where it is not one or not known."""
    names = instance_types(workload)
    return known(names[0]) if len(names) == 1 else None


def runs_models(workload: Workload) -> bool:
    """Whether the pods' hardware is a node with whole GPUs, as far as it is known."""
    node = node_of(workload)
    return node is None or (node.kind == "instance" and node.gpu.count > 0)


def node_at(workload: Workload, *inside: str) -> Route:
    """The place of the node itself: the label that selects it; "efa" in it for the interfaces that it has."""
    return workload.in_template("spec", "nodeSelector", instance_type_label(), *inside)


def on_hyperpod(workload: Workload) -> bool:
    """Whether the pods select nodes by their ml. names, which only HyperPod's have."""
    return any(name.startswith(HYPERPOD_PREFIX) for name in instance_types(workload))


def room_of(workload: Workload, attached: int | None = None) -> Need | None:
    """What pods may request on the node that the template selects; None where it is not one or not known.

    `attached` are the EFA interfaces that it really has, where that is less than its type can have.
    """
    node = node_of(workload)
    if node is None:
        return None
    allocatable = (node.hyperpod_allocatable if on_hyperpod(workload) else None) or node.allocatable
    return Need(
        node.gpu.count,
        node.efa.interfaces if attached is None else min(attached, node.efa.interfaces),
        allocatable.cpu_millis if allocatable else node.vcpus * 1000,
        allocatable.memory_mib if allocatable else node.memory_gib * 1024,
        UNLIMITED,  # a launch template decides it
    )


def demand(workload: Workload) -> Need:
    """What one pod asks of its node: the sum of its containers' requests, limits where there are no requests."""
    containers = workload.containers
    return Need(
        sum(each.count(gpu()) for each in containers),
        sum(each.count(efa()) for each in containers),
        sum(millis_or_none(_asked(each, "cpu")) or 0 for each in containers),
        -(-sum(bytes_or_none(_asked(each, "memory")) or 0 for each in containers) // MIB),
        -(-sum(bytes_or_none(_asked(each, "ephemeral-storage")) or 0 for each in containers) // MIB),
    )


def _asked(container: Container, resource: str) -> str | None:
    return container.quantity(resource, "requests") or container.quantity(resource)


def hugepages_mib(workload: Workload) -> int:
    """Huge pages that one pod asks for."""
    return sum(bytes_or_none(each.quantity(HUGEPAGES)) or 0 for each in workload.containers) // MIB


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Kubernetes' own rule: no effect means every effect, no key with Exists every key."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def repels(taint: Mapping[str, Any], tolerations: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a taint keeps pods with these tolerations off a node; PreferNoSchedule only asks."""
    return taint.get("effect") in REPELLING and not any(tolerates(each, taint) for each in tolerations)
