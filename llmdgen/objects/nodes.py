"""The nodes that plans count on, as a simulated cluster would have them: kwok plays the kubelets of such Nodes.

What no fact says is chosen so that it decides nothing: the zone where the spec names none, and the size of the
kubelet's volume, which a launch template decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from llmdgen.kube.node import HUGEPAGES, REPELLING
from llmdgen.planning.model import Plan, Pool
from llmdgen.quantities import cpu_text, mib_text

ZONE = "simulated-a"  # of a plan without cluster.zone: all nodes are in one, as EFA wants it
MOST_PODS = 110  # what a kubelet takes where nothing else is set
_LONGEST = 63  # characters of a label's value, which the node's name is too


def nodes(plans: Iterable[Plan]) -> Iterator[dict[str, Any]]:
    """Every node of the plans, each of them empty and of a name of its own."""
    made: Counter[tuple[str, str]] = Counter()
    for plan in plans:
        for pool in plan.pools:
            for _ in range(pool.nodes):
                made[plan.spec.name, pool.instance] += 1
                suffix = f"-{pool.instance}-{made[plan.spec.name, pool.instance]}"
                yield _node(plan, pool, plan.spec.name[: _LONGEST - len(suffix)].rstrip("-.") + suffix)


def _node(plan: Plan, pool: Pool, name: str) -> dict[str, Any]:
    role = next(role for role in plan.roles if role.name in pool.roles)
    labels = {
        "kubernetes.io/arch": role.node.instance.architecture,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        plan.platform["zone_label"]: ZONE,
        **role.node_selector,
    }
    offers = _offers(plan, pool)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"taints": _taints(plan)},
        "status": {
            "allocatable": offers,
            "capacity": offers,
            "nodeInfo": {"architecture": role.node.instance.architecture, "operatingSystem": "linux"},
        },
    }


def _offers(plan: Plan, pool: Pool) -> dict[str, str]:
    """What pods may request on the node; all that the instance has where nobody measured what a kubelet keeps."""
    roles = [role for role in plan.roles if role.name in pool.roles]
    node = roles[0].node
    instance = node.instance
    devices = {plan.platform["gpu_resource"]: node.gpus, plan.platform["efa_resource"]: node.efa}
    sizes = {
        "memory": min(node.room.memory_mib, instance.memory_gib * 1024),
        "ephemeral-storage": sum(role.need.storage_mib * role.pods_per_node for role in roles),
        HUGEPAGES: instance.hugepages_mib,
    }
    return {
        "cpu": cpu_text(min(node.room.cpu_millis, instance.vcpus * 1000)),
        **{name: mib_text(size) for name, size in sizes.items() if size},
        **{name: str(count) for name, count in devices.items() if count},
        "pods": str(MOST_PODS),
    }


def _taints(plan: Plan) -> list[dict[str, str]]:
    """A taint for every toleration of the plan that names one, so that pods land only where all of them are there.

    A toleration with tolerationSeconds ends a pod after so long, and a node that is to stay has no such taint.
    """
    return [
        {"key": each["key"], "value": each.get("value") or "true", "effect": each.get("effect") or REPELLING[0]}
        for each in plan.tolerations
        if each.get("key") and "tolerationSeconds" not in each and each.get("effect") in (None, "", *REPELLING)
    ]
