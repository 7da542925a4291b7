"""Parallelism: how a model server spreads over pods, and heads and experts against what divides them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from llmdgen.checks._gpu_memory import fits_heads, loaded
from llmdgen.engine.memory import experts_divide, resident_ratio, weights_per_gpu
from llmdgen.objects.origin import size
from llmdgen.paths.wide_ep import has_eplb
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import mapping

WORTH_IT = 1.5  # times the KV cache, below which another division is not worth a warning


@rule("PAR001", "warning", "experts cut into slices over several pods")
def experts_are_whole_across_pods(plan: Plan) -> Iterator[Draft]:
    """Without expert parallelism vLLM cuts every expert into slices over all ranks of the replica, data parallel ones
    too, and each layer waits for a reduction across the network. With it ranks keep whole experts, and tokens travel.

    Fails:  `{path: wide-ep, decode: {parallelism: {data: 16, expert: false}}}`.
    Passes: `{path: wide-ep, decode: {parallelism: {data: 16}}}`.
    """
    if "wide-ep" not in plan.paths:
        return
    for role in plan.roles:
        parts = role.size
        if parts.workers > 1 and not parts.expert and plan.model is not None and plan.model.experts:
            slices = f"{parts.tensor * parts.data} slices over {parts.workers} pods"
            says, fix = f"each expert of {plan.model.id} is cut into {slices}", "set expert: true, or remove the key"
            yield found(*size(plan, role, "expert", "data", "workers"), says=says, fix=fix)


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


@rule("PAR003", "error", "tensor parallel sizes between which KV caches cannot travel", read=True)
def ends_divide_each_other(plan: Plan) -> Iterator[Draft]:
    """The NIXL connector maps each rank of one end to whole ranks of the other, so one tensor parallel size must divide
    the other. It cannot gather from a prefill with more ranks than decode where KV heads are replicated, that is, with
    as many ranks as KV heads or more.

    Fails:  `{path: pd-disaggregation, prefill: {parallelism: {tensor: 2}}, decode: {parallelism: {tensor: 3}}}`.
    Passes: `{path: pd-disaggregation, prefill: {parallelism: {tensor: 1}}, decode: {parallelism: {tensor: 4}}}`.
    """
    ends = {role.name: role for role in plan.roles}
    if not plan.disaggregated or len(ends) < 2:
        return
    prefill, decode = ends["prefill"], ends["decode"]
    first, second = prefill.size.tensor, decode.size.tensor
    if max(first, second) % min(first, second):
        says = f"prefill has tensor parallel size {first}, decode {second}, and neither divides the other"
        yield found(*size(plan, decode, "tensor"), says=says, fix=f"set decode's tensor to {first} or a multiple of it")
    elif plan.model is not None and first > second and not plan.model.mla and first >= plan.model.kv_heads:
        heads = f"the {plan.model.kv_heads} KV heads of {plan.model.id}, which NIXL does not gather"
        says = f"prefill has more ranks ({first}) than decode ({second}) and replicates {heads}"
        fix = f"set prefill's tensor to {second} or less, or decode's to {first}"
        yield found(*size(plan, prefill, "tensor"), says=says, fix=fix)


@rule("MOD008", "warning", "KV cache stored more than once")
def kv_is_divided(plan: Plan) -> Iterator[Draft]:
    """With more tensor parallel ranks than KV heads, ranks keep copies of the same heads. A model with multi-head
    latent attention has one compressed vector, of which every rank keeps a copy. More tensor parallelism then adds no
    room for requests beyond that of the weights; data parallel attention does. It is said where that gives half as much
    KV cache again, attention weights on every rank counted.

    Fails:  `{model: {name: deepseek-ai/DeepSeek-R1-0528}, instanceTypes: [p5en.48xlarge], decode: {parallelism:
            {tensor: 8}}}`.
    Passes: `{path: wide-ep}`, which has tensor: 1.
    """
    for role, model, use in loaded(plan):
        tensor = role.size.tensor
        copies = tensor if model.mla else tensor // model.kv_heads
        if copies < 2 or tensor % copies or role.size.gpus_per_pod > role.node.gpus:
            continue
        if "decode-context-parallel-size" in role.flags:
            continue
        what = "one latent KV vector a layer" if model.mla else f"{model.kv_heads} KV heads"
        fewer, ranks = tensor // copies, role.size.data_local * copies
        wider = structs.replace(role.size, data=role.size.data * copies, data_local=ranks)
        spread = structs.replace(wider, tensor=fewer, expert=model.experts is not None)
        weights = int(weights_per_gpu(model, spread) * resident_ratio(model, plan.engine))
        times = (use.budget - weights - use.activations) * copies / max(1, use.kv)
        if times < WORTH_IT:
            continue
        fix = f"set tensor: {fewer} with {copies} times the replicas"
        if model.experts:
            fix = f"set parallelism: {{tensor: {fewer}, dataLocal: {ranks}, expert: true}}, or use wide-ep"
        says = f"{model.id} has {what}, so tensor: {tensor} keeps {copies} copies of the {role.name} KV cache"
        fix += f": {times:.1f} times the KV cache on as many GPUs"
        yield found(*size(plan, role, "tensor"), says=says, fix=fix)


@rule("MOD009", "error", "experts that tensor parallelism cannot cut")
def experts_are_cut_at_blocks(plan: Plan) -> Iterator[Draft]:
    """Without expert parallelism each rank holds a slice of every expert. Of an FP8 block quantisation the slice has to
    be a whole number of blocks, and vLLM refuses anything else.

    Fails:  `{model: {name: Qwen/Qwen3-235B-A22B-Instruct-2507-FP8}, decode: {parallelism: {tensor: 8, expert:
            false}}}`: 1536 / 8 is not a multiple of 128.
    Passes: `{model: {name: Qwen/Qwen3-235B-A22B-Instruct-2507-FP8}, decode: {parallelism: {tensor: 4}}}`; `{model:
            {name: Qwen/Qwen3-235B-A22B-Instruct-2507-FP8}, decode: {parallelism: {tensor: 8, expert: true}}}`.
    """
    for role, model, _ in loaded(plan):
        ranks = role.size.tensor * role.size.data
        if model.experts is None or role.size.expert or experts_divide(model, ranks):
            continue
        width = f"experts of {model.id} are {model.experts.intermediate_size} wide"
        whole = (each for each in range(1, role.node.gpus + 1) if experts_divide(model, each * role.size.data))
        sizes = [each for each in whole if fits_heads(model, each)]
        other = f", or tensor to one of {', '.join(map(str, sizes))}" if sizes else ""
        says = f"{width}; 1/{ranks} of that is not a multiple of the {model.fp8_block} of a quantisation block"
        yield found(*size(plan, role, "tensor", "data"), says=says, fix=f"set parallelism.expert: true{other}")


@rule("MOD018", "error", "expert load balancing that the model does not have", read=True)
def eplb_is_supported(plan: Plan) -> Iterator[Draft]:
    """EPLB moves experts between ranks. vLLM has it for some architectures and quantisations, and stops at others.

    Fails:  `{path: wide-ep, model: {name: openai/gpt-oss-120b}, engine: {args: {enable-eplb: true}}}`.
    Passes: `{path: wide-ep}` with deepseek-ai/DeepSeek-R1-0528, where it is on without being asked for.
    """
    balanced = [role for role, _, _ in loaded(plan) if role.flags.get("enable-eplb") is True]
    model = plan.model
    if model is None or model.experts is None or has_eplb(model, plan.engine["eplb"]):
        return
    kind = f"{model.architecture}, {model.weight_dtype.split(' ')[0]}"
    for route in dict.fromkeys(role.flag_at("enable-eplb") for role in balanced):
        says = f"vLLM {plan.release.vllm} does not balance the experts of {model.id} ({kind})"
        yield found(*route, says=says, fix="remove enable-eplb")


@rule("MOD029", "warning", "experts that move by a transport that EFA does not have", read=True)
def experts_move_over_efa(plan: Plan) -> Iterator[Draft]:
    """vLLM 0.26.0 moves rebalanced experts by NIXL where it is installed and --eplb-config names no communicator, and
    NIXL then takes UCX, which does not drive EFA. wide-ep names torch_gloo; an eplb-config of the spec replaces that.

    Fails:  `{path: wide-ep, engine: {args: {eplb-config: {num_redundant_experts: 32}}}}`.
    Passes: `{path: wide-ep, engine: {args: {eplb-config: {num_redundant_experts: 32, communicator: torch_gloo}}}}`.
    """
    wanted = plan.engine["eplb"].get("communicator")
    for role in plan.roles:
        at = role.flag_routes.get("eplb-config", ())
        balances = role.flags.get("enable-eplb") is True and role.efa_per_pod
        if wanted and balances and not mapping(role.flags.get("eplb-config")).get("communicator"):
            says = "without a communicator vLLM moves experts by NIXL over UCX"
            yield found(*at, says=says, fix=f"add communicator: {wanted}")


@rule("MOD019", "error", "expert parallelism for a model without experts")
def expert_parallel_has_experts(plan: Plan) -> Iterator[Draft]:
    """Expert parallelism spreads the experts of a mixture of experts. For a dense model vLLM stops at start.

    Fails:  `{decode: {parallelism: {expert: true}}}` with Qwen/Qwen3-32B.
    Passes: `{model: {name: openai/gpt-oss-120b}, decode: {parallelism: {expert: true}}}`.
    """
    for role, model, _ in loaded(plan):
        if role.size.expert and model.experts is None:
            by_flag = role.flag_routes.get("enable-expert-parallel", ())
            route = by_flag if "args" in by_flag else size(plan, role, "expert")
            fix = "remove enable-expert-parallel" if "args" in by_flag else "remove expert, or set expert: false"
            yield found(*route, says=f"{model.id} is a dense model, it has no experts to spread", fix=fix)
