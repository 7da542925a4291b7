"""EFA: every pod that talks to another over the fabric has interfaces, of one kind, as many as its node can give."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks._places import flag, hardware, runs_models, size
from llmdgen.checks.registry import Draft, found, rule
from llmdgen.plan.efa import share
from llmdgen.plan.model import Plan, RolePlan

TRANSFER_BLOCK = 128
BACKEND = ("spec", "transfer", "backend")
ATTACHED = ("spec", "cluster", "efaPerNode")


@rule("EFA001", "error", "pods that talk over EFA have no interface")
def crossing_pods_have_interfaces(plan: Plan) -> Iterator[Draft]:
    """KV transfer with the LIBFABRIC backend, and NCCL between the pods of one replica, need EFA in every pod. A pod
    without it falls back to TCP, about a hundred times slower, or does not connect at all.

    Fails:  pd-disaggregation on g6e.4xlarge, which has no EFA; prefill {efa: 0} with transfer {backend: LIBFABRIC}.
    Passes: pd-disaggregation on g6e.8xlarge; the same without `efa`, which gives each pod its share.
    """
    for role in _crossing(plan):
        if role.efa_per_pod or not (_spans(role) or plan.spec.spec.transfer.backend == "LIBFABRIC"):
            continue
        instance = role.node.instance
        why = "spans pods" if _spans(role) else "exchanges KV caches over LIBFABRIC"
        if not instance.efa.interfaces:
            yield found(
                *hardware(plan, role),
                says=f"{role.name} {why}, and {instance.name} has no EFA",
                fix=_with_efa(role) + ("" if _spans(role) else ", or set transfer.backend: UCX for a slow transfer over TCP"),
            )
        elif not role.node.efa:
            yield found(
                *ATTACHED,
                says=f"{role.name} {why}, and its nodes have no EFA interface attached",
                fix=f"attach up to {instance.efa.interfaces} to {instance.name} and set efaPerNode to that number",
            )
        else:
            yield found(
                "spec",
                role.name,
                "efa",
                says=f"{role.name} {why}, and each pod asks for 0 interfaces",
                fix=f"set efa: auto, which is {role.efa_share} for each pod",
            )


@rule("EFA002", "warning", "KV caches travel over TCP")
def transfer_over_tcp(plan: Plan) -> Iterator[Draft]:
    """UCX moves KV caches over TCP where pods have no EFA. That works, and is about a hundred times slower: prompts
    wait for their KV cache longer than computing it again would take.

    Fails:  transfer {backend: UCX} on g6e.4xlarge.
    Passes: transfer {backend: LIBFABRIC} on instance types with EFA.
    """
    slow = [role for role in _transferring(plan) if not role.efa_per_pod]
    if slow and plan.spec.spec.transfer.backend == "UCX":
        types = " and ".join(dict.fromkeys(role.node.instance.name for role in slow))
        yield found(
            *BACKEND,
            says=f"without EFA on {types} KV caches go over TCP, about a hundred times slower",
            fix="use instance types with EFA and backend: LIBFABRIC, or inference-scheduling, which transfers nothing",
        )


@rule("EFA003", "error", "pods ask for more EFA interfaces than their node has")
def interfaces_fit_the_node(plan: Plan) -> Iterator[Draft]:
    """An interface belongs to one pod, and a node offers those that were attached to it at launch. A pod that asks for
    more stays Pending for ever.

    Fails:  prefill {efa: 8} on p4d.24xlarge, which has 4; efa: 32 with cluster {efaPerNode: 16}.
    Passes: prefill {efa: 4} on p4d.24xlarge; efa: auto, which is the pod's share of what is attached.
    """
    for role in plan.roles:
        if runs_models(role) and role.efa_per_pod > role.node.efa:
            usual = share(role.node.efa, role.node.gpus, role.size.gpus_per_pod)
            yield found(
                "spec",
                role.name,
                "efa",
                says=f"a {role.name} pod asks for {role.efa_per_pod} EFA interfaces, {_node(role)}",
                fix=f"set efa: {usual}" if role.node.efa else "set efa: 0, or use an instance type with EFA",
            )


@rule("EFA004", "error", "KV transfer over EFA without RDMA")
def transfer_has_rdma(plan: Plan) -> Iterator[Draft]:
    """NIXL reads the other side's GPU memory. EFA of the G5 family has no RDMA: FI_EFA_USE_DEVICE_RDMA=1 aborts there,
    and without it libfabric has nothing to read with.

    Fails:  pd-disaggregation on g5.48xlarge.
    Passes: pd-disaggregation on g6e.48xlarge or p4d.24xlarge; inference-scheduling on g5.48xlarge.
    """
    for role in _transferring(plan):
        instance = role.node.instance
        if role.efa_per_pod and instance.efa.interfaces and not instance.efa.rdma:
            yield found(
                *hardware(plan, role),
                says=f"{role.name} transfers KV caches over EFA, and the EFA of {instance.name} has no RDMA",
                fix="use g6, g6e, p4d or later, or a path that transfers nothing, such as inference-scheduling",
            )


@rule("EFA005", "error", "prefill and decode on EFA that does not interoperate")
def ends_interoperate(plan: Plan) -> Iterator[Draft]:
    """EFA of P4d and P4de speaks to no other instance type. The transfer between such roles never connects.

    Fails:  prefill on p4d.24xlarge, decode on p5.48xlarge.
    Passes: both on p4d.24xlarge, or both on p5 and later.
    """
    ends = _two_ends(plan)
    closed = plan.platform["efa_closed_families"]["families"]
    if ends and any(_family(end) in closed for end in ends) and any(_family(end) not in closed for end in ends):
        prefill, decode = ends
        alone, other = (prefill, decode) if _family(prefill) in closed else (decode, prefill)
        yield found(
            *hardware(plan, prefill),
            says=f"EFA of {_type(alone)} ({alone.name}) does not speak to {_type(other)} ({other.name})",
            fix=f"put both roles on {_type(other)}, or both on {_type(alone)}",
        )


@rule("EFA006", "error", "more EFA interfaces than the instance type can have")
def attached_interfaces_exist(plan: Plan) -> Iterator[Draft]:
    """`cluster.efaPerNode` says how many interfaces are really attached to each node, of every instance type of the
    spec. Above what a type can have, pods ask for devices that no node offers. p6-b300.48xlarge has 17 network cards
    and 16 EFA interfaces: the first card is ENA only.

    Fails:  cluster {efaPerNode: 17} with p6-b300.48xlarge; efaPerNode: 32 with p5.48xlarge and p6-b200.48xlarge.
    Passes: cluster {efaPerNode: 16} with p5.48xlarge; no efaPerNode, which is what each type can have.
    """
    attached = plan.spec.spec.cluster.efa_per_node
    seen = set()
    for role in plan.roles:
        instance = role.node.instance
        most = instance.efa.interfaces
        if attached is None or attached <= most or instance.name in seen or not runs_models(role):
            continue
        seen.add(instance.name)
        cards = attached == most + 1 and any("ENA only" in text for text in instance.disagreements)
        note = f": of its {attached} network cards the first is ENA only" if cards else ""
        yield found(
            *ATTACHED,
            says=f"{instance.name} can have {most} EFA interfaces, not {attached}{note}",
            fix=f"set efaPerNode to {most} or less, or leave it out: it holds for every instance type of the spec",
        )


@rule("EFA007", "warning", "EFA interfaces that differ from the pod's share")
def override_follows_the_rule(plan: Plan) -> Iterator[Draft]:
    """A pod's share is (interfaces of the node / its GPUs) x GPUs of the pod. Fewer leave bandwidth of the GPUs unused,
    more take it from other pods of the node, and interfaces of a pod that sends nothing are lost. One interface for
    each GPU is right only on types with as many interfaces as GPUs, such as p6-b200.48xlarge.

    Fails:  prefill {efa: 1} with tensor: 1 on p5.48xlarge, whose share is 4; decode {efa: 4} with inference-scheduling.
    Passes: efa: auto; efa: 4 with tensor: 1 on p5.48xlarge.
    """
    for role in plan.roles:
        asked, usual = role.efa_per_pod, role.efa_share
        if asked == usual or not asked or asked > role.node.efa or not runs_models(role):
            continue
        if not role.efa_needed:
            says, fix = f"a {role.name} pod asks for {asked} EFA interfaces, and nothing crosses pods here", "remove efa"
        else:
            gpus = role.size.gpus_per_pod
            says = f"a {role.name} pod asks for {asked} EFA interfaces, its share is {usual} ({_rule(role)})"
            if asked < usual:
                says += f": {asked / usual:.0%} of the bandwidth"
            if asked == gpus:
                says += "; one for each GPU is not the rule here"
            fix = f"set efa: {usual}, or efa: auto"
        yield found("spec", role.name, "efa", says=says, fix=fix)


@rule("EFA008", "warning", "GPUs idle for want of EFA interfaces")
def interfaces_last_for_all_gpus(plan: Plan) -> Iterator[Draft]:
    """Each pod that crosses the fabric needs at least one interface. On nodes with fewer interfaces than GPUs, small
    pods use up the interfaces first, and the GPUs that are left stay idle.

    Fails:  8 prefill pods with tensor: 1 on p4d.24xlarge: 4 fit on a node, 4 GPUs stay idle.
    Passes: 4 prefill pods with tensor: 2 on the same node, one interface each.
    """
    for role in plan.roles:
        gpus, node = role.size.gpus_per_pod, role.node
        if not role.pods_per_node or role.limited_by != "EFA interfaces" or role.pods < role.pods_per_node:
            continue
        idle = node.gpus - role.pods_per_node * gpus
        larger = _tensor_that_fills(plan, role)
        fix = "set efa: auto" if role.efa_per_pod > max(1, role.efa_share) else ""
        if not fix and larger:
            fix = f"set tensor: {larger}, {node.gpus // (larger * role.size.data_local)} pods a node use all its GPUs"
        yield found(
            *size(plan, role, "tensor"),
            says=f"{role.pods_per_node} {role.name} pods with {gpus} GPU and {role.efa_per_pod} EFA each use up the "
            f"{node.efa} interfaces of {node.instance.name}; {idle} of its {node.gpus} GPUs stay idle",
            fix=fix or "use an instance type with as many interfaces as GPUs, such as p6-b200.48xlarge",
        )


@rule("EFA009", "warning", "EFA may not reach GPU memory")
def interfaces_reach_gpu_memory(plan: Plan) -> Iterator[Draft]:
    """With GPUDirect RDMA the transfer reads GPU memory directly. AWS does not state it for G6, G6e, G7 and g7e.8xlarge,
    and p5.4xlarge has none: the KV cache then goes through host memory, or the transfer fails at its first request.

    Fails:  pd-disaggregation on g6e.48xlarge.
    Passes: pd-disaggregation on p5.48xlarge or g7e.48xlarge.
    """
    for role in _transferring(plan):
        efa = role.node.instance.efa
        if role.efa_per_pod and efa.rdma and not efa.gpudirect:
            known = "AWS does not say whether EFA reaches GPU memory on" if efa.gpudirect is None else "EFA does not reach GPU memory on"
            yield found(
                *hardware(plan, role),
                says=f"{known} {role.node.instance.name}, and {role.name} transfers KV caches",
                fix="try the transfer before relying on it, or use p4d.24xlarge, p5.48xlarge, g7e.12xlarge or larger",
            )


@rule("EFA010", "error", "prefill and decode with different block sizes")
def ends_share_the_block_size(plan: Plan) -> Iterator[Draft]:
    """NIXL transfers whole KV blocks: both ends must cut the KV cache alike.

    Fails:  prefill {args: {block-size: 64}} beside decode's 128.
    Passes: block-size in `engine.args`, or nowhere, which is 128 for both.
    """
    sizes = {role.name: role.block_size for role in _transferring(plan)}
    if len(set(sizes.values())) > 1:
        odd = next((role for role in plan.roles if "block-size" in _own(plan, role)), plan.roles[0])
        yield found(
            *flag(odd, "block-size"),
            says=f"prefill has blocks of {sizes['prefill']} tokens, decode of {sizes['decode']}",
            fix=f"set block-size: {TRANSFER_BLOCK} in engine.args and remove it from the roles",
        )


@rule("EFA011", "warning", "a block size that slows LIBFABRIC down")
def blocks_are_large(plan: Plan) -> Iterator[Draft]:
    """LIBFABRIC posts a descriptor for each block, and posting them blocks vLLM's worker. 128 tokens a block is the size
    to keep.

    Fails:  engine {args: {block-size: 16}} with pd-disaggregation.
    Passes: the same without block-size, which is 128.
    """
    if plan.spec.spec.transfer.backend != "LIBFABRIC":
        return
    for route, role in {flag(role, "block-size"): role for role in _transferring(plan)}.items():
        if role.block_size != TRANSFER_BLOCK:
            yield found(
                *route,
                says=f"{role.block_size} tokens a block with LIBFABRIC, whose cost grows with the number of blocks",
                fix=f"set block-size: {TRANSFER_BLOCK}",
            )


@rule("EFA012", "error", "two zones for one deployment")
def one_zone(plan: Plan) -> Iterator[Draft]:
    """EFA traffic stays within one availability zone, so `cluster.zone` holds for every pod. A zone label in
    `cluster.nodeSelector` that names another one would win, silently.

    Fails:  cluster {zone: us-east-1a, nodeSelector: {topology.kubernetes.io/zone: us-east-1b}}.
    Passes: cluster {zone: us-east-1a}.
    """
    cluster, label = plan.spec.spec.cluster, plan.platform["zone_label"]
    other = cluster.node_selector.get(label)
    if cluster.zone and other and other != cluster.zone:
        yield found(
            "spec",
            "cluster",
            "nodeSelector",
            label,
            says=f"the node selector names zone {other}, cluster.zone {cluster.zone}",
            fix=f"remove {label} from nodeSelector, cluster.zone is enough",
        )


@rule("EFA013", "error", "UCX on pods with EFA")
def ucx_does_not_drive_efa(plan: Plan) -> Iterator[Draft]:
    """UCX on EFA is not a supported combination: it falls back to TCP without a word while the interfaces stay idle.

    Fails:  transfer {backend: UCX} on p5.48xlarge.
    Passes: transfer {backend: LIBFABRIC} on p5.48xlarge.
    """
    driven = [role for role in _transferring(plan) if role.efa_per_pod]
    if driven and plan.spec.spec.transfer.backend == "UCX":
        everywhere = len(driven) == 2
        role = driven[0]
        yield found(
            *BACKEND,
            says=f"{role.name} pods have {role.efa_per_pod} EFA interfaces on {_type(role)}, and UCX does not drive EFA",
            fix="set backend: LIBFABRIC" if everywhere else "put both roles on types with EFA and set backend: LIBFABRIC",
        )


@rule("EFA014", "warning", "prefill and decode on different EFA generations")
def one_generation(plan: Plan) -> Iterator[Draft]:
    """The slower end sets the pace of the transfer, and AWS documents EFA between equal types best.

    Fails:  prefill on p5.48xlarge (v2), decode on p5en.48xlarge (v3).
    Passes: both on p5en.48xlarge; p5.48xlarge and p5e.48xlarge, which are both v2.
    """
    ends = _two_ends(plan)
    closed = plan.platform["efa_closed_families"]["families"]
    if ends and not any(_family(end) in closed for end in ends):
        prefill, decode = ends
        first, second = prefill.node.instance.efa.generation, decode.node.instance.efa.generation
        if first != second:
            yield found(
                *hardware(plan, prefill),
                says=f"prefill has EFA {first} ({_type(prefill)}), decode {second} ({_type(decode)})",
                fix="put both roles on one instance type, or try the transfer between them first",
            )


@rule("EFA015", "error", "prefill and decode with different KV cache types")
def ends_share_the_kv_type(plan: Plan) -> Iterator[Draft]:
    """The NIXL connector compares a hash of vLLM version, model, data type and KV cache type at its first contact, and
    refuses an end that differs.

    Fails:  decode {args: {kv-cache-dtype: fp8}} beside prefill's auto.
    Passes: engine {args: {kv-cache-dtype: fp8}}.
    """
    roles = _transferring(plan)
    for name in ("kv-cache-dtype", "dtype"):
        values = {role.name: str(role.flags.get(name, "auto")) for role in roles}
        if len(set(values.values())) > 1:
            odd = next((role for role in roles if name in _own(plan, role)), roles[0])
            yield found(
                *flag(odd, name),
                says=f"{name} is {values['prefill']} for prefill and {values['decode']} for decode",
                fix=f"set {name} in engine.args and remove it from the roles",
            )


def _crossing(plan: Plan) -> list[RolePlan]:
    """Roles whose pods send something to other pods over the fabric."""
    return [role for role in plan.roles if role.efa_needed and runs_models(role)]


def _transferring(plan: Plan) -> list[RolePlan]:
    """Both ends of the KV transfer; none where the path has no prefill servers."""
    return _crossing(plan) if plan.disaggregated else []


def _two_ends(plan: Plan) -> tuple[RolePlan, RolePlan] | None:
    """Prefill and decode where both have EFA and their instance types differ."""
    ends = {role.name: role for role in _transferring(plan) if role.efa_per_pod}
    if len(ends) < 2 or ends["prefill"].node.instance.name == ends["decode"].node.instance.name:
        return None
    return ends["prefill"], ends["decode"]


def _spans(role: RolePlan) -> bool:
    return role.size.workers > 1


def _type(role: RolePlan) -> str:
    return role.node.instance.name


def _family(role: RolePlan) -> str:
    return _type(role).partition(".")[0]


def _own(plan: Plan, role: RolePlan) -> dict[str, object]:
    """The role's own vLLM flags in the spec."""
    asked = getattr(plan.spec.spec, role.name)
    return dict(asked.args) if asked else {}


def _rule(role: RolePlan) -> str:
    return f"{role.node.efa} interfaces / {role.node.gpus} GPUs x {role.size.gpus_per_pod} of the pod"


def _node(role: RolePlan) -> str:
    """What the role's nodes have, and how many a pod may ask for."""
    most = role.node.instance.efa.interfaces
    if role.node.efa == most:
        return f"{_type(role)} has {most}"
    return f"{role.node.efa} of the {most} of {_type(role)} are attached"


def _with_efa(role: RolePlan) -> str:
    """The smallest types of the same family that have EFA, else what has it."""
    from llmdgen.facts import catalogue

    family = f"{_family(role)}."
    rows = [catalogue.instance(name) for name in catalogue.instance_names() if name.startswith(family)]
    suited = [row.name for row in rows if row.efa.interfaces and row.efa.rdma and row.gpu.count >= role.size.gpus_per_pod]
    return f"use {' or '.join(suited[:2])}" if suited else "use p5.48xlarge, p5en.48xlarge or p6-b200.48xlarge"


def _tensor_that_fills(plan: Plan, role: RolePlan) -> int | None:
    """The smallest larger tensor parallel size with which the interfaces last for all GPUs of a node."""
    node, tensor = role.node, role.size.tensor * 2
    heads = plan.model.attention_heads if plan.model else 0
    while tensor * role.size.data_local <= node.gpus:
        gpus = tensor * role.size.data_local
        pods = node.gpus // gpus
        if heads % tensor == 0 and pods * gpus == node.gpus and pods * share(node.efa, node.gpus, gpus) <= node.efa:
            return tensor
        tensor *= 2
    return None
