"""EFA interfaces: every pod that talks to another over the fabric has some, as many as its node can give."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks._places import by_type, crossing, family, hardware, runs_models, size, type_of
from llmdgen.facts import catalogue
from llmdgen.facts.types import Instance
from llmdgen.planning.efa import share
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import Draft, found, rule

ATTACHED = ("spec", "cluster", "efaPerNode")


@rule("EFA001", "error", "pods that talk over EFA have no interface")
def crossing_pods_have_interfaces(plan: Plan) -> Iterator[Draft]:
    """KV transfer with the LIBFABRIC backend, and NCCL between the pods of one replica, need EFA in every pod. A pod
    without it falls back to TCP, about a hundred times slower, or does not connect at all.

    Fails:  pd-disaggregation on g6e.4xlarge, which has no EFA; prefill {efa: 0} with transfer {backend: LIBFABRIC}.
    Passes: pd-disaggregation on g6e.8xlarge; the same without `efa`, which gives each pod its share.
    """
    tcp = plan.spec.spec.transfer.backend == "UCX"
    without = [role for role in crossing(plan) if not role.efa_per_pod and (_spans(role) or not tcp)]
    for role, names in by_type(without):
        instance = role.node.instance
        why = f"pods of {names} " + ("form one server" if _spans(role) else "exchange KV caches over LIBFABRIC")
        if not instance.efa.interfaces:
            slow = "" if _spans(role) else ", or set transfer.backend: UCX for a slow transfer over TCP"
            yield found(
                *hardware(plan, role), says=f"{why}, and {instance.name} has no EFA", fix=_with_efa(role) + slow
            )
        elif not role.node.efa:
            yield found(
                *ATTACHED,
                says=f"{why}, and {instance.name} nodes have no EFA interface attached",
                fix=f"attach up to {instance.efa.interfaces} to {instance.name} and set efaPerNode to that number",
            )
    for role in without:
        if role.node.efa:
            yield found(
                "spec",
                role.name,
                "efa",
                says=f"{role.name} talks to other pods over EFA, and each pod asks for 0 interfaces",
                fix=f"set efa: auto, which is {role.efa_share} for each pod",
            )


@rule("EFA003", "error", "pods ask for more EFA interfaces than their node has")
def interfaces_fit_the_node(plan: Plan) -> Iterator[Draft]:
    """An interface belongs to one pod, and a node offers those that were attached to it at launch. A pod that asks for
    more stays Pending for ever.

    Fails:  prefill {efa: 8} on p4d.24xlarge, which has 4; efa: 32 with cluster {efaPerNode: 16}.
    Passes: prefill {efa: 4} on p4d.24xlarge; efa: auto, which is the pod's share of what is attached.
    """
    for role in plan.roles:
        if runs_models(role) and role.efa_per_pod > role.node.efa and role.size.gpus_per_pod <= role.node.gpus:
            usual = share(role.node.efa, role.node.gpus, role.size.gpus_per_pod)
            yield found(
                "spec",
                role.name,
                "efa",
                says=f"a {role.name} pod asks for {role.efa_per_pod} EFA interfaces, {_node(role)}",
                fix=f"set efa: {usual}" if role.node.efa else "set efa: 0, or use an instance type with EFA",
            )


@rule("EFA006", "error", "more EFA interfaces than the instance type can have")
def attached_interfaces_exist(plan: Plan) -> Iterator[Draft]:
    """`cluster.efaPerNode` says how many interfaces are really attached to each node. No instance type of the spec can
    have that many. p6-b300.48xlarge has 17 network cards and 16 EFA interfaces: the first card is ENA only.

    Fails:  cluster {efaPerNode: 17} with p6-b300.48xlarge.
    Passes: cluster {efaPerNode: 16} with p5.48xlarge; no efaPerNode, which is what each type can have.
    """
    for instance, attached in _beyond(plan):
        if attached > _most_of_any_type(plan):
            most = instance.efa.interfaces
            cards = any(f"{attached} network cards but" in text for text in instance.disagreements)
            note = f": of its {attached} network cards the first is ENA only" if cards else ""
            yield found(
                *ATTACHED,
                says=f"{instance.name} can have {most} EFA interfaces, not {attached}{note}",
                fix=f"set efaPerNode to {most} or less, or leave it out",
            )


@rule("EFA016", "warning", "efaPerNode that only larger types of the spec can have")
def attached_interfaces_fit_each_type(plan: Plan) -> Iterator[Draft]:
    """`cluster.efaPerNode` holds for every instance type of the spec. A type that can have fewer is planned with
    what it can have.

    Warned: cluster {efaPerNode: 32} with p5.48xlarge, which has 32, and p6-b200.48xlarge, which has 8.
    Passes: no efaPerNode, which is what each type can have.
    """
    for instance, attached in _beyond(plan):
        if attached <= _most_of_any_type(plan):
            yield found(
                *ATTACHED,
                says=f"{instance.name} is planned with the {instance.efa.interfaces} EFA interfaces it can have, "
                f"not {attached}",
                fix="leave efaPerNode out, or write a spec for each instance type",
            )


def _beyond(plan: Plan) -> Iterator[tuple[Instance, int]]:
    """The instance types of the plan that cannot have what efaPerNode says, each once."""
    attached = plan.spec.spec.cluster.efa_per_node
    instances = {role.node.instance.name: role.node.instance for role in plan.roles if runs_models(role)}
    for instance in instances.values():
        if attached is not None and attached > instance.efa.interfaces:
            yield instance, attached


def _most_of_any_type(plan: Plan) -> int:
    """The most EFA interfaces that any instance type of the spec can have."""
    names = {*plan.spec.spec.instance_types, *(role.node.instance.name for role in plan.roles)}
    return max(catalogue.instance(name).efa.interfaces for name in names)


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
            says, fix = (
                f"a {role.name} pod asks for {asked} EFA interfaces, and nothing crosses pods here",
                "remove efa",
            )
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
            says=f"{node.efa} EFA interfaces of {node.instance.name}, {role.efa_per_pod} for each {role.name} pod of "
            f"{gpus} GPU, are used up by {role.pods_per_node}: {idle} of {node.gpus} GPUs stay idle",
            fix=fix or "use an instance type with as many interfaces as GPUs, such as p6-b200.48xlarge",
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


def _spans(role: RolePlan) -> bool:
    return role.size.workers > 1


def _rule(role: RolePlan) -> str:
    return f"{role.node.efa} interfaces / {role.node.gpus} GPUs x {role.size.gpus_per_pod} of the pod"


def _node(role: RolePlan) -> str:
    """What the role's nodes have, and how many a pod may ask for."""
    most = role.node.instance.efa.interfaces
    if role.node.efa == most:
        return f"{type_of(role)} has {most}"
    return f"{role.node.efa} of the {most} of {type_of(role)} are attached"


def _with_efa(role: RolePlan) -> str:
    """The smallest types of the same family that have EFA, else what has it."""
    from llmdgen.facts import catalogue

    siblings = f"{family(role)}."
    rows = [catalogue.instance(name) for name in catalogue.instance_names() if name.startswith(siblings)]
    suited = [
        row.name for row in rows if row.efa.interfaces and row.efa.rdma and row.gpu.count >= role.size.gpus_per_pod
    ]
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
