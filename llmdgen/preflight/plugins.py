"""Questions about device plugins: whether nodes advertise GPUs and EFA interfaces, and who should make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmdgen.planning.model import Plan
from llmdgen.preflight import rules
from llmdgen.preflight.answer import Answer, Forbidden, missing, ok
from llmdgen.preflight.cluster import Cluster
from llmdgen.preflight.node import LiveNode
from llmdgen.registry import Rule

# Part of the image of a DaemonSet's container: the charts' own, and those that platforms bring.
GPU_IMAGE, GPU_CHART = "k8s-device-plugin", "nvidia-device-plugin"
EFA_IMAGE, EFA_CHART = "aws-efa-k8s-device-plugin", "aws-efa-k8s-device-plugin"


def answers(plan: Plan, label: str, nodes: Sequence[LiveNode], efa: bool, cluster: Cluster) -> Iterator[Answer]:
    """One answer for GPUs, and one for EFA interfaces where pods ask for them. `nodes` is not empty."""
    gpu_resource, efa_resource = plan.platform["gpu_resource"], plan.platform["efa_resource"]
    yield _plugin(rules.GPU_PLUGIN, gpu_resource, GPU_IMAGE, GPU_CHART, label, nodes, cluster)
    if efa:
        yield _plugin(rules.EFA_PLUGIN, efa_resource, EFA_IMAGE, EFA_CHART, label, nodes, cluster)


def _plugin(
    rule: Rule, resource: str, image: str, chart: str, label: str, nodes: Sequence[LiveNode], cluster: Cluster
) -> Answer:
    what, needed = f"device plugin {resource}", f"on all {len(nodes)} usable nodes of {label}"
    without = [node.name for node in nodes if resource not in node.advertises]
    if not without:
        return ok(rule, what, needed, "on all")
    says = f"none on {without[0]}" + (f" and {len(without) - 1} more" if len(without) > 1 else "")
    try:
        plugin = _daemon_set(cluster, image)
    except Forbidden:
        return missing(rule, what, needed, says, f"see whether the DaemonSet of {chart} runs on these nodes")
    if plugin is None:
        return missing(rule, what, needed, f"{says}; no DaemonSet of {chart}", f"install the chart {chart}")
    fix = f"see whether node affinity and tolerations of DaemonSet {plugin} let it on these nodes, and its pods' logs"
    return missing(rule, what, needed, f"{says}; DaemonSet {plugin} is there", fix)


def _daemon_set(cluster: Cluster, image: str) -> str | None:
    """The DaemonSet that runs an image with that name, as namespace/name. NVIDIA's name is the end of EFA's own."""
    for each in cluster.daemon_sets():
        for container in each["spec"]["template"]["spec"]["containers"]:
            repository = container.get("image", "").partition("@")[0].rpartition("/")[2].partition(":")[0]
            if repository == image:
                return f"{each['metadata']['namespace']}/{each['metadata']['name']}"
    return None
