"""Parallelism: how a model server spreads over pods, and whether the two ends of a transfer match."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks._places import runs_models, size
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule


@rule("PAR001", "warning", "experts cut into slices over several pods")
def experts_are_whole_across_pods(plan: Plan) -> Iterator[Draft]:
    """Without expert parallelism vLLM cuts every expert into slices over all ranks of the replica, data parallel ones
    too, so that each layer waits for a reduction across the network. With it each rank keeps whole experts and only the
    tokens travel.

    Fails:  `{path: wide-ep, decode: {parallelism: {data: 16, expert: false}}}`.
    Passes: `{path: wide-ep, decode: {parallelism: {data: 16}}}`.
    """
    if "wide-ep" not in plan.paths:
        return
    for role in plan.roles:
        parts = role.size
        if parts.workers > 1 and not parts.expert and plan.model is not None and plan.model.experts:
            yield found(
                *size(plan, role, "expert", "data", "workers"),
                says=f"each expert of {plan.model.id} is cut into {parts.tensor * parts.data} slices "
                f"over {parts.workers} pods",
                fix="set expert: true, or remove the key",
            )


@rule("PAR002", "error", "a replica of several pods outside wide-ep")
def only_wide_ep_spans_pods(plan: Plan) -> Iterator[Draft]:
    """Data parallel ranks of a dense model, or of a path that routes to single servers, share nothing: as replicas they
    are the same for the scheduler and need neither LeaderWorkerSet nor a network between them. Tensor parallelism does
    not cross pods with vLLM's hybrid load balancing.

    Fails:  `{path: pd-disaggregation, decode: {parallelism: {tensor: 8, workers: 2}}}`.
    Passes: `{path: pd-disaggregation, decode: {replicas: 2, parallelism: {tensor: 8}}}`;
            `{path: wide-ep, decode: {parallelism: {workers: 2}}}`.
    """
    if "wide-ep" in plan.paths:
        return
    for role in plan.roles:
        if role.size.workers > 1:
            says = f"a {role.name} replica spans {role.size.workers} pods, which {plan.paths[0]} does not do"
            fix = f"set replicas: {role.pods} and remove workers, or add wide-ep for a mixture of experts"
            yield found(*size(plan, role, "workers", "data"), says=says, fix=fix)


@rule("PAR003", "error", "tensor parallel sizes between which KV caches cannot travel")
def ends_divide_each_other(plan: Plan) -> Iterator[Draft]:
    """The NIXL connector maps each rank of one end to whole ranks of the other, so one tensor parallel size must divide
    the other. It cannot gather from a prefill with more ranks than decode where KV heads are replicated, that is, with
    as many ranks as KV heads or more.

    Fails:  `{path: pd-disaggregation, prefill: {parallelism: {tensor: 2}}, decode: {parallelism: {tensor: 3}}}`.
    Passes: `{path: pd-disaggregation, prefill: {parallelism: {tensor: 1}}, decode: {parallelism: {tensor: 4}}}`.
    """
    ends = {role.name: role for role in plan.roles if runs_models(role)}
    if not plan.disaggregated or len(ends) < 2:
        return
    prefill, decode = ends["prefill"], ends["decode"]
    first, second = prefill.size.tensor, decode.size.tensor
    if max(first, second) % min(first, second):
        says = f"prefill has tensor parallel size {first}, decode {second}, and neither divides the other"
        yield found(*size(plan, decode, "tensor"), says=says, fix=f"set decode's tensor to {first} or a multiple of it")
    elif plan.model is not None and first > second and not plan.model.mla and first >= plan.model.kv_heads:
        yield found(
            *size(plan, prefill, "tensor"),
            says=f"prefill has more ranks ({first}) than decode ({second}) and replicates the "
            f"{plan.model.kv_heads} KV heads "
            f"of {plan.model.id}, which NIXL does not gather",
            fix=f"set prefill's tensor to {second} or less, or decode's to {first}",
        )
