"""Which nodes pods may land on: what they select, what they tolerate, and that both ends of a transfer share a zone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.kube.node import (
    efa,
    gpu,
    instance_type_label,
    instance_types,
    known,
    on_hyperpod,
    platform,
    tolerates,
    zone_label,
)
from llmdgen.kube.servers import ModelServer, Servers
from llmdgen.kube.workload import Workload
from llmdgen.registry import Draft, rule
from llmdgen.untyped import at, items, mapping, maps

_EQUAL = "Equal"


@rule("VER056", "warning", "a model server does not tolerate its nodes' taint")
def gpu_taint_is_tolerated(workload: ModelServer) -> Iterator[Draft]:
    """GPU nodes usually carry the taint nvidia.com/gpu:NoSchedule, which keeps other pods away. Where they do, a pod
    without the toleration stays Pending for ever; where they do not, it does no harm.

    Fails:  `{decode: {pod: {tolerations: []}}}`.
    Passes: `{decode: {pod: {tolerations: [{key: nvidia.com/gpu, operator: Exists}]}}}`.
    """
    given = [each for _, each in maps(workload.spec.get("tolerations"))]
    taints = ({"key": gpu(), "value": value, "effect": "NoSchedule"} for value in ("true", "present"))
    if not all(any(tolerates(each, taint) for each in given) for taint in taints):
        says = f"the pods do not tolerate {gpu()}:NoSchedule, whatever its value"
        fix = f"tolerate {gpu()} with operator Exists"
        yield workload.found(*workload.in_template("spec", "tolerations"), says=says, fix=fix)


@rule("K8S004", "error", "a toleration of nodes that are being replaced")
def unhealthy_nodes_are_not_tolerated(workload: ModelServer) -> Iterator[Draft]:
    """HyperPod taints nodes that fail its health checks and replaces or reboots them. A pod that tolerates the taint,
    or every taint, is put on such a node, and a model server that waits there has its GPUs fail under it.

    Fails:  `{platform: hyperpod, cluster: {tolerations: [{key: sagemaker.amazonaws.com/node-health-status, operator:
            Exists}]}}`, or `{platform: hyperpod, cluster: {tolerations: [{operator: Exists}]}}`.
    Passes: `{platform: hyperpod, cluster: {tolerations: [{key: dedicated, operator: Equal, value: inference, effect:
            NoSchedule}]}}`.
    """
    taint = platform()["hyperpod"]["health_taint"]
    for index, each in maps(workload.spec.get("tolerations")):
        place = workload.in_template("spec", "tolerations", index)
        if each.get("key") == taint:
            says = "it lets pods onto nodes that HyperPod found unhealthy"
            yield workload.found(*place, "key", says=says, fix="remove it")
        elif not each.get("key") and on_hyperpod(workload) and each.get("effect") != "PreferNoSchedule":
            says = "it tolerates every taint, that of unhealthy HyperPod nodes included"
            yield workload.found(*place, says=says, fix="name the taint that the nodes really have")


@rule("K8S008", "warning", "a toleration that does less or more than it seems")
def tolerations_mean_something(workload: ModelServer) -> Iterator[Draft]:
    """Operator Equal, the default, without a value tolerates only a taint whose value is empty. A toleration without a
    key tolerates every taint, those of nodes that are full, unreachable or being drained included.

    Fails:  `{cluster: {tolerations: [{key: dedicated}]}}`; `{cluster: {tolerations: [{operator: Exists}]}}` on EKS.
    Passes: `{cluster: {tolerations: [{key: dedicated, operator: Exists}]}}`.
    """
    for index, each in maps(workload.spec.get("tolerations")):
        place = workload.in_template("spec", "tolerations", index)
        key = each.get("key")
        if key and each.get("operator", _EQUAL) == _EQUAL and not each.get("value"):
            says = f"it tolerates {key} only where the taint has no value"
            yield workload.found(*place, says=says, fix="add operator: Exists, or the taint's value")
        elif not key and not on_hyperpod(workload):  # there it is K8S004's
            says = "it tolerates every taint, also of nodes that are unreachable or being drained"
            yield workload.found(*place, says=says, fix="name the taint that the nodes really have")


@rule("VER067", "error", "a model server can land on any node")
def model_servers_select_their_node(workload: ModelServer) -> Iterator[Draft]:
    """What was checked holds for one instance type: the pods must select it, by a name that exists, and as the platform
    writes it (HyperPod's ml. names are labels of HyperPod's nodes only).

    Fails:  `{decode: {pod: {nodeSelector: {node.kubernetes.io/instance-type: p5.48xl}}}}`.
    Passes: `{decode: {pod: {nodeSelector: {node.kubernetes.io/instance-type: p5e.48xlarge}}}}`.
    """
    label = instance_type_label()
    place = workload.in_template("spec", "nodeSelector")
    names = instance_types(workload)
    if not names:
        yield workload.found(*place, says=f"the pods select no {label}", fix=f"select {label}")
    for name in names:
        if known(name) is None:
            says = f"there is no instance type {name}"
            yield workload.found(*place, label, says=says, fix="see llmdgen list instances")


@rule("VER076", "error", "the two ends of the KV transfer may land in different zones")
def ends_share_a_zone(servers: Servers) -> Iterator[Draft]:
    """EFA traffic does not leave an availability zone. Either every pod selects the same zone, or a required pod
    affinity on the zone keeps them together; a preferred one does not.

    Fails:  `{path: pd-disaggregation, decode: {pod: {affinity: null}}}` where nodes are in three zones.
    Passes: `{path: pd-disaggregation, cluster: {zone: us-east-1a}}`.
    """
    ends = [vllm.workload for vllm in servers.engines if vllm.nixl is not None and vllm.count(efa())]
    zones = {str(workload.node_selector.get(zone_label())) for workload in ends}
    if len(ends) < 2 or (len(zones) == 1 and zones != {"None"}):
        return
    for workload in ends:
        strangers = [other for other in servers.workloads if other.vllm is None]
        if not _stays_with(workload, [other for other in ends if other is not workload], strangers):
            says = "nothing keeps these pods in the zone of the pods that they transfer to or from"
            fix = f"set cluster.zone in the spec, or a required pod affinity on {zone_label()}"
            yield workload.found(*workload.in_template("spec", "affinity"), says=says, fix=fix)


def _stays_with(workload: Workload, others: list[Workload], strangers: list[Workload]) -> bool:
    """Whether a required pod affinity on the zone selects the pods of every other workload, and none of strangers,
    each of which would do for it in its own zone."""
    terms = at(workload.spec, "affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    zonal = [term for term in map(mapping, items(terms)) if term.get("topologyKey") == zone_label()]
    # A term without a selector selects no pods at all; an empty selector all of the namespace.
    chosen = [term["labelSelector"] for term in zonal if isinstance(term.get("labelSelector"), dict)]
    ours = [selector for selector in chosen if all(_matches(selector, other) for other in others)]
    return any(not any(_matches(selector, each) for each in strangers) for selector in ours)


def _matches(selector: dict[str, Any], workload: Workload) -> bool:
    """Whether a label selector with matchLabels and matchExpressions selects the workload's pods."""
    labels = workload.labels
    for expression in map(mapping, items(selector.get("matchExpressions"))):
        value = labels.get(expression.get("key", ""))
        values = items(expression.get("values"))
        held = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not held.get(str(expression.get("operator")), False):
            return False
    return all(labels.get(key) == value for key, value in mapping(selector.get("matchLabels")).items())
