"""The KV transfer: what both ends need so that NIXL moves blocks over EFA and not over TCP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.kube.container import Container
from llmdgen.kube.workload import Workload
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.invariants.resources import EFA, node_of
from llmdgen.verify.rendered import Rendered

ZONE = "topology.kubernetes.io/zone"
SIDE_CHANNEL = "VLLM_NIXL_SIDE_CHANNEL_HOST"


@rule("VER070", "error", "one end of the KV transfer has no NixlConnector")
def both_ends_transfer(rendered: Rendered) -> Iterator[Draft]:
    """Prefill writes KV blocks and decode reads them by the same connector, on its own or inside a MultiConnector. With
    it at one end only, decode computes every prompt again.

    Fails:  NixlConnector in prefill, OffloadingConnector alone in decode.
    Passes: NixlConnector at both ends.
    """
    ends = list(_ends(rendered))
    if {workload.role for workload, _ in ends} >= {"prefill", "decode"}:
        for workload, vllm in ends:
            if vllm.nixl is None and workload.role in ("prefill", "decode"):
                yield found(
                    *vllm.route,
                    "args",
                    says=f"the {workload.role} pods have no NixlConnector",
                    fix="set --kv-transfer-config at both ends",
                    of=workload.manifest,
                )


@rule("VER071", "error", "a pod transfers KV blocks without EFA")
def transferring_pods_have_efa(rendered: Rendered) -> Iterator[Draft]:
    """Without vpc.amazonaws.com/efa the pod has no EFA device and NIXL nothing to transfer with. Both ends need it.

    Fails:  NixlConnector in a pod without EFA on p5.48xlarge.
    Passes: an EFA interface at least in every pod with NixlConnector, on a node that has EFA.
    """
    for workload, vllm in _transferring(rendered):
        node = node_of(workload)
        if not vllm.count(EFA) and (node is None or node.efa.interfaces):
            yield found(
                *vllm.route,
                "resources",
                says=f"container {vllm.name} has a NixlConnector and no {EFA}",
                fix=f"ask for {EFA} in limits and requests",
                of=workload.manifest,
            )


@rule("VER072", "error", "NIXL is not told to use libfabric")
def nixl_uses_libfabric(rendered: Rendered) -> Iterator[Draft]:
    """Only NIXL's LIBFABRIC backend drives EFA. With its default, UCX, the transfer falls back to TCP without an error,
    about a hundred times slower.

    Fails:  NixlConnector without kv_connector_extra_config.backends, on pods with EFA.
    Passes: "backends": ["LIBFABRIC"].
    """
    for workload, vllm in _transferring(rendered):
        backends = mapping(mapping(vllm.nixl).get("kv_connector_extra_config")).get("backends")
        if vllm.count(EFA) and backends != ["LIBFABRIC"]:
            yield found(
                *vllm.route,
                "args",
                says=f"the NixlConnector's backends are {backends or 'not set, which means UCX'}",
                fix='set "kv_connector_extra_config": {"backends": ["LIBFABRIC"]}',
                of=workload.manifest,
            )


@rule("VER073", "error", "a pod with EFA may not lock memory")
def efa_pods_lock_memory(rendered: Rendered) -> Iterator[Draft]:
    """EFA registers memory for remote access and so pins it. Without the capability IPC_LOCK the registration of
    gigabytes of KV cache fails at start.

    Fails:  vpc.amazonaws.com/efa: 4 without securityContext.capabilities.add: [IPC_LOCK].
    Passes: with it.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is not None and vllm.count(EFA) and not {"IPC_LOCK", "ALL"} & {*vllm.capabilities()}:
            yield found(
                *vllm.route,
                "securityContext",
                says=f"container {vllm.name} has EFA interfaces and not the capability IPC_LOCK",
                fix="add IPC_LOCK to securityContext.capabilities.add",
                of=workload.manifest,
            )


@rule("VER074", "error", "the other end cannot find a pod's side channel")
def side_channel_is_the_pods_address(rendered: Rendered) -> Iterator[Draft]:
    """Decode reads a prefill pod's memory layout over the side channel, at the address that VLLM_NIXL_SIDE_CHANNEL_HOST
    gives. Its default is localhost, where the other pod is not.

    Fails:  the variable missing, or a literal address.
    Passes: valueFrom.fieldRef.fieldPath: status.podIP.
    """
    for workload, vllm in _transferring(rendered):
        if vllm.field_of(SIDE_CHANNEL) != "status.podIP":
            yield found(
                *vllm.route,
                "env",
                says=f"{SIDE_CHANNEL} of container {vllm.name} is not the pod's address",
                fix=f"take {SIDE_CHANNEL} from status.podIP",
                of=workload.manifest,
            )


@rule("VER075", "error", "the two ends of the KV transfer have different blocks")
def block_sizes_agree(rendered: Rendered) -> Iterator[Draft]:
    """Blocks are copied as they lie: prefill and decode must have the same --block-size and the same --kv-cache-dtype.

    Fails:  --block-size 128 in prefill, 64 in decode.
    Passes: 128 and 128.
    """
    ends = list(_transferring(rendered))
    for flag in ("block-size", "kv-cache-dtype"):
        values = {str(vllm.flags.get(flag)) for _, vllm in ends}
        if len(values) > 1:
            for workload, vllm in ends:
                yield found(
                    *vllm.route,
                    "args",
                    says=f"--{flag} is {vllm.flags.get(flag, 'the default')} here and otherwise at the other end",
                    fix=f"set one --{flag} for both roles",
                    of=workload.manifest,
                )


@rule("VER076", "error", "the two ends of the KV transfer may land in different zones")
def ends_share_a_zone(rendered: Rendered) -> Iterator[Draft]:
    """EFA traffic does not leave an availability zone. Either every pod selects the same zone, or a required pod
    affinity on the zone keeps them together; a preferred one does not.

    Fails:  prefill and decode without a zone in a node group that spans three.
    Passes: nodeSelector topology.kubernetes.io/zone: us-east-1a in both, or a required affinity to the deployment's
            pods and no others: the scheduler's pod may be in any zone.
    """
    ends = [(workload, vllm) for workload, vllm in _transferring(rendered) if vllm.count(EFA)]
    zones = {str(workload.node_selector.get(ZONE)) for workload, _ in ends}
    if len(ends) < 2 or (len(zones) == 1 and zones != {"None"}):
        return
    for workload, _ in ends:
        strangers = [other for other in rendered.workloads if other.vllm is None]
        if not _stays_with(workload, [other for other, _ in ends if other is not workload], strangers):
            yield found(
                *workload.in_template("spec"),
                says="nothing keeps these pods in the zone of the pods that they transfer to or from",
                fix=f"set cluster.zone in the spec, or a required pod affinity on {ZONE}",
                of=workload.manifest,
            )


def _ends(rendered: Rendered) -> Iterator[tuple[Workload, Container]]:
    for workload in rendered.model_servers:
        if workload.vllm is not None:
            yield workload, workload.vllm


def _transferring(rendered: Rendered) -> Iterator[tuple[Workload, Container]]:
    """The model servers with a NixlConnector."""
    return ((workload, vllm) for workload, vllm in _ends(rendered) if vllm.nixl is not None)


def _stays_with(workload: Workload, others: list[Workload], strangers: list[Workload]) -> bool:
    """Whether a required pod affinity on the zone selects the pods of every other workload, and none of strangers,
    each of which would do for it in its own zone."""
    terms = at(workload.spec, "affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    zonal = [term for term in map(mapping, items(terms)) if term.get("topologyKey") == ZONE]
    # A term without a selector selects no pods at all; an empty selector all of the namespace.
    chosen = [term["labelSelector"] for term in zonal if isinstance(term.get("labelSelector"), dict)]
    return any(
        all(_matches(selector, other) for other in others) and not any(_matches(selector, each) for each in strangers)
        for selector in chosen
    )


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
