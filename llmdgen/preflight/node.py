"""A node of the cluster as a preflight sees it: what it offers, what is taken, and why pods may not land on it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llmdgen.kube.node import efa, gpu, repels, zone_label
from llmdgen.kube.room import NOTHING, Need, largest, total
from llmdgen.preflight.answer import ClusterError
from llmdgen.preflight.cluster import Container, Quantities, Thing
from llmdgen.quantities import MIB

# A quantity as the API server writes it: digits, and a unit or an exponent.
_QUANTITY = re.compile(r"([+-]?[0-9]{1,20}(?:\.[0-9]{0,20})?)(?:([numkKMGTPE])(i?)|[eE]([+-]?[0-9]{1,2}))?")
_UNITS = {"n": -3, "u": -2, "m": -1, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


class LiveNode(Struct, frozen=True, kw_only=True):
    """One node. `offers` is what its kubelet lets pods request, `advertises` the names of these resources; `obstacle`
    says why the plan's pods cannot land on it, "" where they can."""

    name: str
    zone: str
    architecture: str
    offers: Need
    advertises: frozenset[str]
    obstacle: str


def live_node(node: Thing, selector: Mapping[str, str], tolerations: Sequence[Mapping[str, Any]]) -> LiveNode:
    """A node of the API for pods with that node selector and these tolerations."""
    offers = node.status.allocatable
    return LiveNode(
        name=node.metadata.name,
        zone=node.labels.get(zone_label(), ""),
        architecture=node.status.node_info.architecture,
        offers=_need(offers, up=False),
        advertises=frozenset(name for name, count in offers.items() if _number(count) > 0),
        obstacle=_obstacle(node, selector, tolerations),
    )


def taken(pod: Thing) -> Need:
    """What the scheduler counts as requested by a pod: containers and sidecars together, or its largest moment while
    init containers run one after the other, and the overhead of its runtime class."""
    spec = pod.spec
    sidecars = peak = NOTHING
    for each in spec.init_containers:
        together = total((sidecars, _requests(each)))
        peak = largest((peak, together))
        if each.restart_policy == "Always":
            sidecars = together
    running = total((sidecars, *map(_requests, spec.containers)))
    asked = largest((running, peak))
    # Requests of the pod as a whole, where it has any, count in place of its containers' own.
    whole = spec.resources.requests
    of_pod = _need(whole, up=True)
    if "cpu" in whole:
        asked = replace(asked, cpu_millis=of_pod.cpu_millis)
    if "memory" in whole:
        asked = replace(asked, memory_mib=of_pod.memory_mib)
    return total((asked, _need(spec.overhead, up=True)))


def _need(quantities: Quantities, *, up: bool) -> Need:
    """Quantities of the API by resource name, in whole units: rounded up what is asked for, down what is offered."""
    units: dict[str, int | Fraction] = {
        gpu(): 1,
        efa(): 1,
        "cpu": Fraction(1, 1000),
        "memory": MIB,
        "ephemeral-storage": MIB,
    }
    exact = [_number(quantities.get(name, 0)) / unit for name, unit in units.items()]
    return Need(*(int(-(-each // 1) if up else each // 1) for each in exact))


def _requests(container: Container) -> Need:
    return _need(container.resources.requests, up=True)


@lru_cache(maxsize=4096)  # the same few stand in thousands of pods
def _number(quantity: object) -> Fraction:
    """A quantity's exact value. Raises ClusterError for what Kubernetes would not write."""
    found = _QUANTITY.fullmatch(str(quantity))
    if found is None:
        raise ClusterError(f"{str(quantity)[:40]!r} is not a quantity", "name a context of a Kubernetes cluster")
    number, unit, is_binary, exponent = found.groups()
    scale = Fraction(1024 if is_binary else 1000) ** _UNITS.get(unit, 0)
    return Fraction(number) * scale * Fraction(10) ** int(exponent or 0)


def _obstacle(node: Thing, selector: Mapping[str, str], tolerations: Sequence[Mapping[str, Any]]) -> str:
    labels = node.labels
    for key, value in selector.items():
        if labels.get(key) != value:
            return f"{key} is {labels[key]}" if key in labels else f"no label {key}"
    if node.condition("Ready") != "True":
        return "not Ready"
    if node.spec.unschedulable:
        return "cordoned"
    for taint in node.spec.taints:
        if repels(taint, tolerations):
            return f"taint {taint.get('key')}:{taint.get('effect')}"
    return ""
