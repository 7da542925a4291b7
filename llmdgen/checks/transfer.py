"""The KV transfer between prefill and decode: hardware that can carry it."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks._places import by_type, family, flag, transferring, type_of
from llmdgen.objects.origin import hardware
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import Draft, found, rule

BACKEND = ("spec", "transfer", "backend")


@rule("EFA002", "warning", "KV caches travel over TCP")
def transfer_over_tcp(plan: Plan) -> Iterator[Draft]:
    """UCX moves KV caches over TCP where pods have no EFA. That works, and is about a hundred times slower: prompts
    wait for their KV cache longer than computing it again would take.

    Fails:  `{path: pd-disaggregation, instanceTypes: [g6e.4xlarge], transfer: {backend: UCX}}`.
    Passes: `{path: pd-disaggregation, transfer: {backend: LIBFABRIC}}` on instance types with EFA.
    """
    slow = [role for role in transferring(plan) if not role.efa_per_pod]
    if slow and plan.spec.asked.transfer.backend == "UCX":
        types = " and ".join(dict.fromkeys(role.node.instance.name for role in slow))
        says = f"without EFA on {types} KV caches go over TCP, about a hundred times slower"
        fix = "use instance types with EFA and backend: LIBFABRIC, or inference-scheduling, which transfers nothing"
        yield found(*BACKEND, says=says, fix=fix)


@rule("EFA004", "error", "KV transfer over EFA without RDMA")
def transfer_has_rdma(plan: Plan) -> Iterator[Draft]:
    """NIXL reads the other side's GPU memory. EFA of the G5 family has no RDMA: FI_EFA_USE_DEVICE_RDMA=1 aborts there,
    and without it libfabric has nothing to read with.

    Fails:  `{path: pd-disaggregation, instanceTypes: [g5.48xlarge]}`.
    Passes: `{path: pd-disaggregation, instanceTypes: [p4d.24xlarge]}`; `{instanceTypes: [g5.48xlarge]}` with
            inference-scheduling.
    """
    for role, names in by_type([role for role in transferring(plan) if role.efa_per_pod]):
        instance = role.node.instance
        if instance.efa.interfaces and not instance.efa.rdma:
            says = f"KV transfer of {names} needs RDMA, and the EFA of {instance.name} has none"
            fix = "use g6, g6e, p4d or later, or a path that transfers nothing, such as inference-scheduling"
            yield found(*hardware(plan, role), says=says, fix=fix)


@rule("EFA005", "error", "prefill and decode on EFA that does not interoperate")
def ends_interoperate(plan: Plan) -> Iterator[Draft]:
    """EFA of P4d and P4de speaks to no other instance type. The transfer between such roles never connects.

    Fails:  `{path: pd-disaggregation, prefill: {instanceType: p4d.24xlarge}}` with decode on p5.48xlarge.
    Passes: `{path: pd-disaggregation, instanceTypes: [p4d.24xlarge]}` for both;
            `{path: pd-disaggregation, prefill: {instanceType: p5e.48xlarge}}`.
    """
    ends = _two_ends(plan)
    closed = plan.platform["efa_closed_families"]["families"]
    if ends and any(family(end) in closed for end in ends) and any(family(end) not in closed for end in ends):
        prefill, decode = ends
        alone, other = (prefill, decode) if family(prefill) in closed else (decode, prefill)
        says = f"EFA of {type_of(alone)} ({alone.name}) does not speak to {type_of(other)} ({other.name})"
        fix = f"put both roles on {type_of(other)}, or both on {type_of(alone)}"
        yield found(*hardware(plan, prefill), says=says, fix=fix)


@rule("EFA009", "warning", "EFA may not reach GPU memory")
def interfaces_reach_gpu_memory(plan: Plan) -> Iterator[Draft]:
    """With GPUDirect RDMA the transfer reads GPU memory directly. AWS does not state it for G6, G6e, G7, g7e.8xlarge,
    and p5.4xlarge has none: KV caches then go through host memory, or the transfer fails at its first request.

    Fails:  `{path: pd-disaggregation, instanceTypes: [g6e.48xlarge]}`.
    Passes: `{path: pd-disaggregation}` on p5.48xlarge; `{path: pd-disaggregation, instanceTypes: [g7e.48xlarge]}`.
    """
    for role, names in by_type([role for role in transferring(plan) if role.efa_per_pod]):
        efa = role.node.instance.efa
        if efa.rdma and not efa.gpudirect:
            known = "AWS does not say whether EFA reaches" if efa.gpudirect is None else "EFA does not reach"
            says = f"{known} GPU memory on {type_of(role)}, which the KV transfer of {names} needs"
            fix = "try the transfer before relying on it, or use p4d.24xlarge, p5.48xlarge, g7e.12xlarge or larger"
            yield found(*hardware(plan, role), says=says, fix=fix)


@rule("EFA011", "warning", "a block size that slows LIBFABRIC down")
def blocks_are_large(plan: Plan) -> Iterator[Draft]:
    """LIBFABRIC posts a descriptor for each block, which blocks vLLM's worker meanwhile. Keep to 128 tokens a block.

    Fails:  `{path: pd-disaggregation, engine: {args: {block-size: 16}}}`.
    Passes: `{path: pd-disaggregation}`, which is 128.
    """
    if plan.spec.asked.transfer.backend != "LIBFABRIC":
        return
    wanted = plan.engine["transfer_block_size"]
    for route, role in {flag(role, "block-size"): role for role in transferring(plan)}.items():
        if role.block_size != wanted:
            says = f"{role.block_size} tokens a block with LIBFABRIC, whose cost grows with the number of blocks"
            yield found(*route, says=says, fix=f"set block-size: {wanted}")


@rule("EFA014", "warning", "prefill and decode on different EFA generations")
def one_generation(plan: Plan) -> Iterator[Draft]:
    """The slower end sets the pace of the transfer, and AWS documents EFA between equal types best.

    Fails:  `{path: pd-disaggregation, instanceTypes: [p5en.48xlarge], prefill: {instanceType: p5.48xlarge}}`, v2 to v3.
    Passes: `{path: pd-disaggregation, instanceTypes: [p5en.48xlarge]}`;
            `{path: pd-disaggregation, prefill: {instanceType: p5e.48xlarge}}`, which are both v2.
    """
    ends = _two_ends(plan)
    closed = plan.platform["efa_closed_families"]["families"]
    if ends and not any(family(end) in closed for end in ends):
        prefill, decode = ends
        first, second = prefill.node.instance.efa.generation, decode.node.instance.efa.generation
        if first != second:
            says = f"prefill has EFA {first} ({type_of(prefill)}), decode {second} ({type_of(decode)})"
            fix = "put both roles on one instance type, or try the transfer between them first"
            yield found(*hardware(plan, prefill), says=says, fix=fix)


def _two_ends(plan: Plan) -> tuple[RolePlan, RolePlan] | None:
    """Prefill and decode where both have EFA and their instance types differ."""
    ends = {role.name: role for role in transferring(plan) if role.efa_per_pod}
    if len(ends) < 2 or ends["prefill"].node.instance.name == ends["decode"].node.instance.name:
        return None
    return ends["prefill"], ends["decode"]
