"""On which nodes a pod may land: the labels that it selects and the taints that it tolerates."""

from __future__ import annotations

from typing import Any

import msgspec

from llmdgen.planning.model import Node
from llmdgen.spec.model import Cluster


def node_selector(place: Node, cluster: Cluster, platform: dict[str, Any], kind: str) -> dict[str, str]:
    """The node's type, what the platform (`kind`: eks or hyperpod) asks for, the zone, then the spec's own labels."""
    selector = {platform["instance_type_label"]: place.label, **platform[kind]["node_selector"]}
    if cluster.zone:
        selector[platform["zone_label"]] = cluster.zone
    return selector | cluster.node_selector


def tolerations(platform: dict[str, Any], cluster: Cluster) -> tuple[dict[str, Any], ...]:
    """The platform's tolerations and the spec's own, as Kubernetes writes them, each once."""
    found: list[dict[str, Any]] = []
    for each in (*platform["tolerations"], *own_tolerations(cluster)):
        if each not in found:
            found.append(each)
    return tuple(found)


def own_tolerations(cluster: Cluster) -> tuple[dict[str, Any], ...]:
    """The spec's tolerations as Kubernetes writes them, in its order."""
    return tuple(_written(msgspec.to_builtins(each)) for each in cluster.tolerations)


def _written(toleration: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in toleration.items() if value is not None}
