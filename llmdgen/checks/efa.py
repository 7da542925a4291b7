"""EFA: every pod that talks to another over the fabric has interfaces, and variables that leave it on."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks.ends import UCX, backends, both_ends
from llmdgen.checks.room import LIMITS
from llmdgen.engine.checks.values import shown
from llmdgen.facts import catalogue
from llmdgen.facts.types import Instance
from llmdgen.kube.node import Placed, efa, gpu, node_at, node_of, placed, platform, runs_models
from llmdgen.kube.room import NAMES, efa_share, fitting
from llmdgen.kube.servers import Engine, Servers
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of

ATTACHED = ("spec", "cluster", "efaPerNode")
DEVICE_RDMA = "FI_EFA_USE_DEVICE_RDMA"
SWITCHED_OFF = ("", "0", "false", "no", "off")


@rule("EFA001", "error", "pods that talk over EFA have no interface")
def crossing_pods_have_interfaces(servers: Servers) -> Iterator[Draft]:
    """KV transfer with the LIBFABRIC backend, and NCCL between the pods of one replica, need EFA in every pod. A pod
    without it falls back to TCP, about a hundred times slower, or does not connect at all.

    Fails:  `{path: pd-disaggregation, instanceTypes: [g6e.4xlarge]}`, which has no EFA;
            `{path: pd-disaggregation, prefill: {efa: 0}}`.
    Passes: `{path: pd-disaggregation, instanceTypes: [g6e.8xlarge], model: {name: meta-llama/Llama-3.1-8B-Instruct}}`;
            the same without `efa`, which gives each pod its share: `{path: pd-disaggregation}`.
    """
    over_tcp = [each for each in _pods(servers) if UCX in backends(each.vllm.nixl)]  # on purpose
    without = [each for each in _crossing(servers) if not each.need.efa and (_spans(each) or each not in over_tcp)]
    for name in dict.fromkeys(each.node.name for each in without):
        sharing = [each for each in without if each.node.name == name]
        pod, names = sharing[0], " and ".join(each.role for each in sharing)
        most, workload = pod.node.efa.interfaces, pod.vllm.workload
        why = f"pods of {names} " + ("form one server" if _spans(pod) else "exchange KV caches over LIBFABRIC")
        if not most:
            slow = "" if _spans(pod) else ", or set transfer.backend: UCX for a slow transfer over TCP"
            says, fix = f"{why}, and {name} has no EFA", _with_efa(pod) + slow
            yield workload.found(*node_at(workload), says=says, fix=fix)
        elif not pod.room.efa:
            says = f"{why}, and {name} nodes have no EFA interface attached"
            fix = f"attach up to {most} to {name} and set efaPerNode to that number"
            yield workload.found(*node_at(workload, "efa"), says=says, fix=fix)
    for pod in without:
        if pod.room.efa:
            says = f"{pod.role} talks to other pods over EFA, and each pod asks for 0 interfaces"
            yield pod.vllm.found(*LIMITS, efa(), says=says, fix=f"set efa: auto, which is {pod.efa_share} for each pod")


@rule("EFA003", "error", "pods ask for more EFA interfaces than their node has")
def interfaces_fit_the_node(servers: Servers) -> Iterator[Draft]:
    """An interface belongs to one pod, and a node offers those attached at launch. Who asks for more stays Pending.

    Fails:  `{path: pd-disaggregation, instanceTypes: [p4d.24xlarge], prefill: {efa: 8}}`, which has 4;
            `{path: pd-disaggregation, prefill: {efa: 32}, cluster: {efaPerNode: 16}}`.
    Passes: `{path: pd-disaggregation, instanceTypes: [p4d.24xlarge], prefill: {efa: 4}}`;
            `{path: pd-disaggregation, prefill: {efa: auto}}`, which is the pod's share of what is attached.
    """
    for pod in _pods(servers):
        if pod.need.efa > pod.room.efa and pod.need.gpus <= pod.room.gpus:
            most, name = pod.node.efa.interfaces, pod.node.name
            some = f"{pod.room.efa} of the {most} of {name} are attached"
            has = f"{name} has {most}" if pod.room.efa == most else some
            says = f"a {pod.role} pod asks for {pod.need.efa} EFA interfaces, {has}"
            fix = f"set efa: {pod.efa_share}" if pod.room.efa else "set efa: 0, or use an instance type with EFA"
            yield pod.vllm.found(*LIMITS, efa(), says=says, fix=fix)


@rule("EFA007", "warning", "EFA interfaces that differ from the pod's share")
def interfaces_are_the_share(servers: Servers) -> Iterator[Draft]:
    """A pod's share is (interfaces of the node / its GPUs) x GPUs of the pod. Fewer leave bandwidth of the GPUs unused,
    more take it from other pods of the node, and interfaces of a pod that sends nothing are lost. One interface for
    each GPU is right only on types with as many interfaces as GPUs, such as p6-b200.48xlarge.

    Fails:  `{path: pd-disaggregation, prefill: {efa: 1, parallelism: {tensor: 1}}}`, whose share is 4;
            `{decode: {efa: 4}}` with inference-scheduling.
    Passes: `{path: pd-disaggregation, prefill: {efa: auto}}`;
            `{path: pd-disaggregation, prefill: {efa: 4, parallelism: {tensor: 1}}}`.
    """
    crossing = _crossing(servers)
    for pod in _pods(servers):
        role, asked, gpus = pod.role, pod.need.efa, pod.need.gpus
        usual = pod.efa_share if pod in crossing else 0
        if asked == usual or not asked or asked > pod.room.efa:
            continue
        if pod not in crossing:
            says, fix = f"a {role} pod asks for {asked} EFA interfaces, and nothing crosses pods here", "remove efa"
        else:
            rule_ = f"{pod.room.efa} interfaces / {pod.room.gpus} GPUs x {gpus} of the pod"
            says = f"a {role} pod asks for {asked} EFA interfaces, its share is {usual} ({rule_})"
            if asked < usual:
                says += f": {asked / usual:.0%} of the bandwidth"
            if asked == gpus:
                says += "; one for each GPU is not the rule here"
            fix = f"set efa: {usual}, or efa: auto"
        yield pod.vllm.found(*LIMITS, efa(), says=says, fix=fix)


@rule("EFA008", "warning", "GPUs idle for want of EFA interfaces")
def interfaces_last_for_all_gpus(servers: Servers) -> Iterator[Draft]:
    """Each pod that crosses the fabric needs at least one interface. On nodes with fewer interfaces than GPUs, small
    pods use up the interfaces first, and the GPUs that are left stay idle.

    Fails:  `{path: pd-disaggregation, instanceTypes: [p4d.24xlarge], model: {name: meta-llama/Llama-3.1-8B-Instruct},
            prefill: {replicas: 8, parallelism: {tensor: 1}}}`: 4 fit on a node, 4 GPUs stay idle.
    Passes: `{path: pd-disaggregation, instanceTypes: [p4d.24xlarge], model: {name: meta-llama/Llama-3.1-8B-Instruct},
            prefill: {replicas: 4, parallelism: {tensor: 2}}}`, one interface each.
    """
    for pod in _pods(servers):
        per_node, scarce = fitting(pod.need, pod.room)
        gpus, has = pod.need.gpus, pod.room
        if not per_node or scarce != NAMES["efa"] or pod.vllm.workload.replicas * pod.vllm.workload.size < per_node:
            continue
        larger = _tensor_that_fills(servers, pod)
        fix = "set efa: auto" if pod.need.efa > pod.efa_share else ""
        if not fix and larger:
            pods = has.gpus // (larger * pod.vllm.ranks)
            fix = f"set tensor: {larger}, {pods} pods a node use all its GPUs"
        each, idle = f"{pod.need.efa} for each {pod.role} pod of {gpus} GPU", has.gpus - per_node * gpus
        says = f"{has.efa} EFA interfaces of {pod.node.name}, {each}, are used up by {per_node}"
        fix = fix or "use an instance type with as many interfaces as GPUs, such as p6-b200.48xlarge"
        yield pod.vllm.found(*LIMITS, gpu(), says=f"{says}: {idle} of {has.gpus} GPUs stay idle", fix=fix)


@rule("EFA006", "error", "more EFA interfaces than the instance type can have")
def attached_interfaces_exist(plan: Plan) -> Iterator[Draft]:
    """`cluster.efaPerNode` says how many interfaces are really attached to each node. No instance type of the spec can
    have that many. p6-b300.48xlarge has 17 network cards and 16 EFA interfaces: the first card is ENA only.

    Fails:  `{path: pd-disaggregation, instanceTypes: [p6-b300.48xlarge], cluster: {efaPerNode: 17}}`.
    Passes: `{path: pd-disaggregation, cluster: {efaPerNode: 16}}` with p5.48xlarge; `{path: pd-disaggregation}`, which
            is what each type can have.
    """
    for instance, attached, is_too_much in _beyond(plan):
        if is_too_much:
            most, cards = instance.efa.interfaces, instance.efa.network_cards
            note = f": of its {cards} network cards the first is ENA only" if attached == cards else ""
            says = f"{instance.name} can have {most} EFA interfaces, not {attached}{note}"
            yield found(*ATTACHED, says=says, fix=f"set efaPerNode to {most} or less, or leave it out")


@rule("EFA016", "warning", "efaPerNode that only larger types of the spec can have")
def attached_interfaces_fit_each_type(plan: Plan) -> Iterator[Draft]:
    """`cluster.efaPerNode` holds for all types of the spec. One that can have fewer is planned with what it can have.

    Fails:  `{path: pd-disaggregation, instanceTypes: [p6-b200.48xlarge, p5.48xlarge], cluster: {efaPerNode: 32}}`, of
            which p6-b200.48xlarge has 8.
    Passes: `{path: pd-disaggregation, instanceTypes: [p6-b200.48xlarge, p5.48xlarge]}`, each with what it can have.
    """
    for instance, attached, is_too_much in _beyond(plan):
        if not is_too_much:
            most = f"{instance.efa.interfaces} EFA interfaces it can have"
            says = f"{instance.name} is planned with the {most}, not {attached}"
            yield found(*ATTACHED, says=says, fix="leave efaPerNode out, or write a spec for each instance type")


def _beyond(plan: Plan) -> Iterator[tuple[Instance, int, bool]]:
    """The instance types of the plan that cannot have what efaPerNode says, and whether none of the spec's can."""
    attached = plan.spec.asked.cluster.efa_per_node
    instances = {role.node.instance.name: role.node.instance for role in plan.roles}
    most = max(catalogue.instance(name).efa.interfaces for name in (*plan.spec.asked.instance_types, *instances))
    for instance in instances.values():
        if attached is not None and attached > instance.efa.interfaces:
            yield instance, attached, attached > most


@rule("EFA012", "error", "two zones for one deployment")
def one_zone(plan: Plan) -> Iterator[Draft]:
    """EFA traffic stays within one availability zone, so `cluster.zone` holds for every pod. A zone label in
    `cluster.nodeSelector` that names another one would win, silently.

    Fails:  `{cluster: {zone: us-east-1a, nodeSelector: {topology.kubernetes.io/zone: us-east-1b}}}`.
    Passes: `{cluster: {zone: us-east-1a}}`.
    """
    cluster, label = plan.spec.asked.cluster, plan.platform["zone_label"]
    other = cluster.node_selector.get(label)
    if cluster.zone and other and other != cluster.zone:
        says = f"the node selector names zone {other}, cluster.zone {cluster.zone}"
        fix = f"remove {label} from nodeSelector, cluster.zone is enough"
        yield found("spec", "cluster", "nodeSelector", label, says=says, fix=fix)


def _pods(servers: Servers) -> list[Placed]:
    return [pod for pod in placed(servers.engines) if not pod.vllm.workload.is_leader]


def _crossing(servers: Servers) -> list[Placed]:
    """Pods that send something to others over the fabric."""
    ends = both_ends(servers)
    return [pod for pod in _pods(servers) if _spans(pod) or pod.role in ends or pod.vllm.nixl is not None]


def _spans(pod: Placed) -> bool:
    """Whether one server spreads over several pods."""
    return pod.vllm.workload.size > 1


def _with_efa(pod: Placed) -> str:
    """The smallest types of the same family that have EFA, else what has it."""
    siblings = f"{pod.node.name.partition('.')[0]}."
    rows = [catalogue.instance(name) for name in catalogue.instance_names() if name.startswith(siblings)]
    suited = [row.name for row in rows if row.efa.interfaces and row.efa.rdma and row.gpu.count >= pod.need.gpus]
    return f"use {' or '.join(suited[:2])}" if suited else "use p5.48xlarge, p5en.48xlarge or p6-b200.48xlarge"


def _tensor_that_fills(servers: Servers, pod: Placed) -> int | None:
    """The smallest larger tensor parallel size with which the interfaces last for all GPUs of a node."""
    has, ranks, tensor = pod.room, pod.vllm.ranks, pod.vllm.size("tensor-parallel-size", 1) * 2
    heads = servers.model.attention_heads if servers.model else 0
    while tensor * ranks <= has.gpus:
        gpus = tensor * ranks
        pods = has.gpus // gpus
        if heads % tensor == 0 and pods * gpus == has.gpus and pods * efa_share(has.efa, has.gpus, gpus) <= has.efa:
            return tensor
        tensor *= 2
    return None


@rule("EFA019", "error", "an environment variable that keeps traffic off EFA")
def variables_leave_efa_on(vllm: Engine) -> Iterator[Draft]:
    """libfabric, NCCL and NVSHMEM choose their transport by variables. With another one than EFA, or with the loopback
    interface between pods, they go over TCP without a word, or never connect.

    Fails:  `{path: pd-disaggregation, engine: {env: {FI_PROVIDER: tcp}}}`;
            `{path: wide-ep, engine: {env: {NCCL_SOCKET_IFNAME: lo}}}`.
    Passes: `{path: pd-disaggregation, engine: {env: {FI_PROVIDER: efa}}}`; none, for the image and the path set what is
            needed: `{path: wide-ep}`.
    """
    wanted = platform()["efa_variables"]
    node = node_of(vllm.workload)
    if not vllm.count(efa()) or not runs_models(vllm.workload):
        return
    rdma = node is None or node.efa.rdma
    for name, value in vllm.variables.items():
        says = ""
        if name == DEVICE_RDMA and node is not None and not rdma:
            if value.lower() not in SWITCHED_OFF and node.efa.interfaces:
                says, fix = f"EFA of {node.name} has no RDMA, and {name}={value} aborts there", "remove it"
        elif name in wanted["values"] and value not in wanted["values"][name]:
            says = f"{name} {shown(value)} keeps traffic between pods off EFA"
            fix = f"remove it, or write {one_of(wanted['values'][name])}"
        elif name in wanted["interfaces"] and value.removeprefix("=").split(",") == ["lo"]:
            says = f"{name} {shown(value)} is the loopback interface, which reaches no other pod"
            fix = "remove it, or write ^lo,docker,veth"
        if says:
            yield vllm.found("env", name, says=says, fix=fix)


@rule("EFA020", "warning", "an environment variable that aws-ofi-nccl sets better itself")
def variables_are_not_tuned_by_hand(vllm: Engine) -> Iterator[Draft]:
    """aws-ofi-nccl and libfabric choose NCCL's protocol, buffers and fork safety for each platform. A value from an
    older recipe overrules that, and is slower or fails on a newer instance type.

    Fails:  `{path: pd-disaggregation, engine: {env: {NCCL_PROTO: simple}}}`;
            `{path: pd-disaggregation, engine: {env: {FI_EFA_FORK_SAFE: "1"}}}`.
    Passes: `{path: pd-disaggregation}`, none of them.
    """
    if not vllm.count(efa()):
        return
    for name in vllm.names:
        if name in platform()["efa_variables"]["tuning"]:
            says = f"{name} overrules what aws-ofi-nccl and libfabric choose for the instance type"
            yield vllm.found("env", name, says=says, fix="remove it", on_key=True)
