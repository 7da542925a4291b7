"""A node of the cluster as a preflight sees it: what it offers, what is taken, and why pods may not land on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llmdgen.kube.node import repels
from llmdgen.kube.room import NOTHING, Need, largest, total
from llmdgen.preflight.answer import ClusterError
from llmdgen.preflight.cluster import Object
from llmdgen.quantities import MIB


class LiveNode(Struct, frozen=True, kw_only=True):
    """One node. `offers` is what its kubelet lets pods request, `advertises` the names of these resources; `obstacle`
    says why the plan's pods cannot land on it, "" where they can."""

    name: str
    zone: str
    architecture: str
    offers: Need
    advertises: frozenset[str]
    obstacle: str


def live_node(
    node: Object, selector: Mapping[str, str], tolerations: Sequence[Mapping[str, Any]], platform: Mapping[str, Any]
) -> LiveNode:
    """A node of the API for pods with that node selector and these tolerations."""
    labels = node["metadata"].get("labels") or {}
    status = node.get("status") or {}
    offers = status.get("allocatable") or {}
    return LiveNode(
        name=node["metadata"]["name"],
        zone=labels.get(platform["zone_label"], ""),
        architecture=(status.get("nodeInfo") or {}).get("architecture", ""),
        offers=need(offers, platform, up=False),
        advertises=frozenset(name for name, count in offers.items() if _number(count) > 0),
        obstacle=_obstacle(node, labels, selector, tolerations),
    )


def taken(pod: Object, platform: Mapping[str, Any]) -> Need:
    """What the scheduler counts as requested by a pod: containers and sidecars together, or its largest moment while
    init containers run one after the other, and the overhead of its runtime class."""
    spec = pod["spec"]
    sidecars = peak = NOTHING
    for each in spec.get("initContainers") or []:
        together = total((sidecars, _requests(each, platform)))
        peak = largest((peak, together))
        if each.get("restartPolicy") == "Always":
            sidecars = together
    running = total((sidecars, *(_requests(each, platform) for each in spec["containers"])))
    asked = largest((running, peak))
    # Requests of the pod as a whole, where it has any, count in place of its containers' own.
    whole = (spec.get("resources") or {}).get("requests") or {}
    of_pod = need(whole, platform, up=True)
    if "cpu" in whole:
        asked = replace(asked, cpu_millis=of_pod.cpu_millis)
    if "memory" in whole:
        asked = replace(asked, memory_mib=of_pod.memory_mib)
    return total((asked, need(spec.get("overhead") or {}, platform, up=True)))


def need(quantities: Mapping[str, Any], platform: Mapping[str, Any], *, up: bool) -> Need:
    """Quantities of the API by resource name, in whole units: rounded up what is asked for, down what is offered."""
    return Need(
        _whole(quantities.get(platform["gpu_resource"], 0), 1, 1, up),
        _whole(quantities.get(platform["efa_resource"], 0), 1, 1, up),
        _whole(quantities.get("cpu", 0), 1000, 1, up),
        _whole(quantities.get("memory", 0), 1, MIB, up),
        _whole(quantities.get("ephemeral-storage", 0), 1, MIB, up),
    )


def _requests(container: Object, platform: Mapping[str, Any]) -> Need:
    resources = container.get("resources") or {}
    return need(resources.get("requests") or {}, platform, up=True)


def _whole(quantity: Any, factor: int, unit: int, up: bool) -> int:
    exact = _number(quantity) * factor
    return int(-(-exact // unit) if up else exact // unit)


def _number(quantity: Any) -> Any:
    """A quantity's exact value. Raises ClusterError for what Kubernetes would not write."""
    from kubernetes.utils import quantity as quantities

    parse: Any = quantities.parse_quantity
    try:
        return parse(quantity)
    except ValueError as error:
        raise ClusterError(f"{quantity!r} is not a quantity", "name a context of a Kubernetes cluster") from error


def _obstacle(
    node: Object, labels: Mapping[str, str], selector: Mapping[str, str], tolerations: Sequence[Mapping[str, Any]]
) -> str:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    for key, value in selector.items():
        if labels.get(key) != value:
            return f"{key} is {labels[key]}" if key in labels else f"no label {key}"
    ready: Object = next((each for each in status.get("conditions") or [] if each.get("type") == "Ready"), {})
    if ready.get("status") != "True":
        return "not Ready"
    if spec.get("unschedulable"):
        return "cordoned"
    for taint in spec.get("taints") or []:
        if repels(taint, tolerations):
            return f"taint {taint['key']}:{taint['effect']}"
    return ""
