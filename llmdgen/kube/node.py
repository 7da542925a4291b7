"""How nodes on AWS are labelled (platforms.toml), which one a pod template selects, and what its pods ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from msgspec import Struct

from llmdgen.facts.catalogue import HYPERPOD_PREFIX, UnknownFact, instance, table
from llmdgen.facts.types import Instance
from llmdgen.findings import Route
from llmdgen.kube.room import UNLIMITED, Need, efa_share
from llmdgen.kube.workload import Container, Workload
from llmdgen.quantities import MIB, bytes_or_none, millis_or_none
from llmdgen.untyped import at, items, mapping

HUGEPAGES = "hugepages-2Mi"
REPELLING = ("NoSchedule", "NoExecute")  # effects of taints


def platform() -> dict[str, Any]:
    return table("platforms.toml")


@cache
def _word(key: str) -> str:
    word: str = platform()[key]
    return word


# The resources by which pods ask for GPUs and EFA interfaces; the labels of nodes with the instance type (on HyperPod
# by its ml. name) and with the availability zone.
gpu, efa = partial(_word, "gpu_resource"), partial(_word, "efa_resource")
instance_type_label, zone_label = partial(_word, "instance_type_label"), partial(_word, "zone_label")


def instance_types(workload: Workload) -> list[str]:
    """The instance types that the pods select, by node selector or required node affinity."""
    label = instance_type_label()
    selected = workload.node_selector.get(label)
    if selected is not None:
        return [str(selected)]
    required = at(workload.spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    return [
        str(value)
        for term in items(at(required, "nodeSelectorTerms"))
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


def room_of(workload: Workload) -> Need | None:
    """What pods may request on the node that the template selects; None where it is not one or not known."""
    node = node_of(workload)
    return room_on(node, instance_types(workload)[0], workload.attached) if node is not None else None


def room_on(node: Instance, label: str, attached: int | None = None) -> Need:
    """What pods may request on an empty node, without limit where AWS states none. HyperPod's nodes, whose label has
    the ml. name, keep more for themselves; `attached` EFA interfaces may be fewer than the type can have."""
    has = node.hyperpod_allocatable if label.startswith(HYPERPOD_PREFIX) else node.allocatable
    most = node.efa.interfaces
    return Need(
        node.gpu.count,
        most if attached is None else min(attached, most),
        has.cpu_millis if has else UNLIMITED,
        has.memory_mib if has else UNLIMITED,
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


class Placed(Struct, frozen=True):
    """A vLLM and the node that its pod selects, of a known type: what that can give, and what one pod needs of it."""

    vllm: Container
    node: Instance
    room: Need
    need: Need

    @property
    def role(self) -> str:
        return self.vllm.workload.role

    @property
    def efa_share(self) -> int:
        """The pod's share of the interfaces of its node."""
        return efa_share(self.room.efa, self.room.gpus, self.need.gpus)


def placed(engines: Iterable[Container]) -> Iterator[Placed]:
    """Those of which the node is known and can run models."""
    for vllm in engines:
        node, room = node_of(vllm.workload), room_of(vllm.workload)
        if node is not None and room is not None and runs_models(vllm.workload):
            yield Placed(vllm, node, room, demand(vllm.workload))


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
