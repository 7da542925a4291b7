"""The model: whether its weights and requests fit the GPUs, and whether its shape divides as the spec divides it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from llmdgen.checks._gpu_memory import (
    favourable,
    first_that_holds,
    loaded,
    memory_with,
    smaller_checkpoints,
    spared,
    types_that_start,
    wider,
)
from llmdgen.engine.derived import hybrid_manager_off_by
from llmdgen.engine.memory import Memory
from llmdgen.engine.numbers import whole
from llmdgen.engine.size import Size
from llmdgen.facts.catalogue import architectures
from llmdgen.facts.types import Instance, ModelFacts
from llmdgen.findings import Route
from llmdgen.objects.origin import size
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.planning.problems import meant
from llmdgen.planning.starting import CONTEXT_STEP
from llmdgen.quantities import GIB, MIB
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of

MODEL = ("spec", "model", "name")
MOST_NODES = 32  # of one replica, a power of two
FEWER = 256  # sequences, vLLM's own default on small GPUs
# What switches the hybrid KV cache manager off, by the flag that does.
WITHOUT_HYBRID = {
    "kv-transfer-config": "the KV connector",
    "kv-events-config": "KV events",
    "disable-hybrid-kv-cache-manager": "--disable-hybrid-kv-cache-manager",
}


@rule("MOD003", "error", "weights that do not fit GPU memory")
def weights_fit(plan: Plan) -> Iterator[Draft]:
    """vLLM loads the weights before anything else and stops with "CUDA out of memory" where they do not fit. The rule
    counts in favour of the spec: weights as large as measured or as their file, the estimate's error on its side.

    Fails:  `{model: {name: openai/gpt-oss-120b}, instanceTypes: [g6e.48xlarge], decode: {parallelism: {tensor: 1}}}`.
    Passes: `{model: {name: openai/gpt-oss-120b}, instanceTypes: [g6e.48xlarge], decode: {parallelism: {tensor: 4}}}`.
    """
    for role, model, use in loaded(plan):
        weights, left = favourable(plan, role, model, use)
        fixed = whole(role.flags.get("kv-cache-memory-bytes"), 0)
        room = (use.gpu - weights - spared(plan, role, use)) * 9 // 10
        if left <= 0 and fixed and room > 0:
            both = f"{_gib(fixed)} of KV cache and {_gib(weights)} of weights"
            says = f"{both} do not fit into the {_gib(use.gpu)} of a GPU of {role.node.instance.name}"
            fix = f"set it to {room} or less, or remove it: vLLM finds it by itself"
            yield found(*role.flag_routes["kv-cache-memory-bytes"], says=says, fix=fix)
        elif left <= 0:
            held = f"{_gib(weights)} of weights of {model.id} on each {role.name} GPU"
            budget = f"{_gib(use.budget)} that vLLM may use of a GPU of {role.node.instance.name}"
            usual = plan.engine["gpu_memory_utilization"]  # which the spec may have lowered
            own = role.flag_routes.get("gpu-memory-utilization", ())[-1:] == ("gpu-memory-utilization",)
            fits = use.gpu * usual > max(use.budget, weights + spared(plan, role, use))
            share = usual if own and fits else None
            at = role.flag_routes["gpu-memory-utilization"] if share else size(plan, role, "tensor", "data")
            fix = (f"set it to {share}, or " if share else "") + _room_for_weights(plan, role, model)
            yield found(*at, says=f"{held} leave nothing of the {budget}", fix=fix)


@rule("MOD004", "error", "a request that does not fit the KV cache")
def one_request_fits(plan: Plan) -> Iterator[Draft]:
    """vLLM refuses to start where its KV cache does not hold one request of --max-model-len. The rule counts in favour
    of the spec, so that what it refuses cannot start.

    Fails:  `{model: {name: meta-llama/Llama-3.3-70B-Instruct}, instanceTypes: [g6e.48xlarge], decode: {parallelism:
            {tensor: 4}}, engine: {args: {max-model-len: 131072}}}`.
    Passes: `{model: {name: meta-llama/Llama-3.3-70B-Instruct}, instanceTypes: [g6e.48xlarge], decode: {parallelism:
            {tensor: 8}}, engine: {args: {max-model-len: 131072}}}`.
    """
    for role, model, use in loaded(plan):
        _, left = favourable(plan, role, model, use)
        if left > 0 and use.tokens_in(left) < use.max_model_len:
            needs = f"{_gib(use.needed)} of KV cache on each {role.name} GPU"
            has = f"{role.node.instance.name} has at most {_gib(left)} left"
            fixed, fix = role.flag_routes.get("kv-cache-memory-bytes"), f"set it to {use.needed} or more, lower"
            fix = f"{fix} max-model-len, or remove it: vLLM finds it by itself" if fixed else ""
            says = f"one request of {use.max_model_len} tokens needs {needs}, {has}"
            yield found(*(fixed or _length(plan, role)), says=says, fix=fix or _shorter(plan, role, model, use))


@rule("MOD005", "warning", "a request that may not fit the KV cache")
def one_request_fits_by_estimate(plan: Plan) -> Iterator[Draft]:
    """By the release's estimate the KV cache does not hold one request of --max-model-len, or holds it by less than the
    estimate may err (1 GiB on one GPU, 1.5 GiB where several serve together), and vLLM might not start.

    Fails:  `{decode: {parallelism: {tensor: 1}}}` for Qwen/Qwen3-32B on p5.48xlarge.
    Passes: `{decode: {parallelism: {tensor: 1}}, engine: {args: {max-model-len: 16384}}}` there.
    """
    for role, model, use in loaded(plan):
        _, left = favourable(plan, role, model, use)
        if not use.starts and use.max_model_len <= use.tokens_in(left):
            has = f"{_gib(use.kv)} of KV cache are left on each {role.name} GPU of {role.node.instance.name}"
            needs = f"one request of {use.max_model_len} tokens needs {_gib(use.needed)}"
            says = f"by estimate, to {use.margin / GIB:g} GiB, {has}, {needs}"
            yield found(*_length(plan, role), says=says, fix=_shorter(plan, role, model, use))


@rule("MOD010", "error", "an architecture that the release's vLLM does not have")
def architecture_is_known(plan: Plan) -> Iterator[Draft]:
    """vLLM knows models by their architecture. One that its registry does not hold is refused at start, after the image
    was pulled. The release's list is read from vLLM's own registry.

    Fails:  `{model: {name: Qwen/Qwen3.5-397B-A17B}, release: v0.5.1, instanceTypes: [p6-b200.48xlarge]}`: vLLM 0.15.1.
    Passes: `{release: v0.5.1}` with Qwen/Qwen3-32B.
    """
    if plan.model is not None and plan.model.architecture not in architectures(plan.release.name):
        says = f"vLLM {plan.release.vllm} of llm-d {plan.release.name} does not serve {plan.model.architecture}"
        fix = "use a model that it has (llmdgen list models), or a release with a newer vLLM"
        yield found(*MODEL, says=says, fix=fix)


@rule("MOD011", "error", "linear attention with a KV connector")
def linear_attention_has_no_connector(plan: Plan) -> Iterator[Draft]:
    """Up to llm-d v0.6.0 any KV connector switches vLLM's hybrid KV cache manager off, and so do KV events; from v0.9.0
    on LMCache does, and --disable-hybrid-kv-cache-manager. Without it vLLM cannot lay out the state of linear attention
    layers beside KV blocks: it stops at start with "failed to convert the KV cache specs to one unified type".

    Fails:  `{path: tiered-prefix-cache, model: {name: Qwen/Qwen3.5-397B-A17B}, release: v0.6.0, instanceTypes:
            [p6-b200.48xlarge]}`.
    Passes: `{model: {name: Qwen/Qwen3.5-397B-A17B}, release: v0.6.0, instanceTypes: [p6-b200.48xlarge]}` with
            inference-scheduling.
    """
    if plan.model is None or not plan.model.layers.linear:
        return
    linear = f"{plan.model.id} has {plan.model.layers.linear} linear attention layers"
    for role in plan.roles:
        flag = hybrid_manager_off_by(role.flags, plan.engine)
        if flag is None:
            continue
        route = role.flag_routes.get(flag, ())
        own = route[-1:] == (flag,)
        connectors = " and ".join(connector.name for connector in plan.connectors)
        cause = connectors if flag == "kv-transfer-config" and connectors and not own else WITHOUT_HYBRID[flag]
        says = f"{linear}, with which vLLM {plan.release.vllm} does not start beside {cause}"
        fix = f"remove {flag}" if own else "use inference-scheduling, or wide-ep without prefill and cache tiers"
        yield found(*(route if own else MODEL), says=says, fix=fix, on_key=own)


@rule("MOD014", "warning", "GPU memory unchecked")
def model_is_known(plan: Plan) -> Iterator[Draft]:
    """Of a model without facts neither weights nor KV cache can be counted, so nothing says whether it fits the GPUs,
    and the path's defaults for parallelism are those of a small model.

    Fails:  `{model: {name: example/unknown-70b, size: 160Gi}}`.
    Passes: the same with config: ./config.json; `{model: {name: meta-llama/Llama-3.1-8B-Instruct}}`, which is known.
    """
    if plan.model is None:
        says = f"{plan.spec.asked.model.name} is not in the model facts: GPU memory and head counts are unchecked"
        fix = meant(plan.spec.asked.model.name) + "store the model's config.json beside the spec and set model.config"
        yield found(*MODEL, says=says, fix=fix)


@rule("MOD016", "note", "sliding-window layers stored in full")
def sliding_layers_are_full(plan: Plan) -> Iterator[Draft]:
    """Up to llm-d v0.6.0 any KV connector switches vLLM's hybrid KV cache manager off, and so do KV events; from v0.9.0
    on LMCache does, and --disable-hybrid-kv-cache-manager, which llmdgen sets where such a model's KV caches are
    transferred, because vLLM would take a failed read for a received one. Layers with a sliding window then keep the
    whole context: for gpt-oss twice the KV cache of each token. The figures of the plan count it.

    Fails:  `{path: pd-disaggregation, model: {name: openai/gpt-oss-120b}}`.
    Passes: `{model: {name: openai/gpt-oss-120b}}` with inference-scheduling.
    """
    roles = [(role, use) for role, _, use in loaded(plan) if use.hybrid_off]
    if roles and plan.model:
        flag = hybrid_manager_off_by(roles[0][0].flags, plan.engine) or ""
        cause = WITHOUT_HYBRID[flag]
        layers = plan.model.layers
        times = (layers.full + layers.sliding) / max(1, layers.full)
        make = f"{cause} {'make' if cause.endswith('s') else 'makes'}"
        more = f"{times:g} times the bytes a token, {roles[0][1].kv_bytes_per_token} on a {roles[0][0].name} GPU"
        says = f"{make} {layers.sliding} sliding-window layers of {plan.model.id} keep the whole context: {more}"
        yield found(*MODEL, says=says, fix="")


@rule("MOD017", "warning", "a CPU cache tier that adds little")
def cpu_tier_is_worth_it(plan: Plan) -> Iterator[Draft]:
    """Blocks are written to CPU memory as they are computed, so a tier smaller than the GPUs' own KV cache holds mostly
    blocks that the GPUs still have. Where prefill is on its own it is the role that finds prefixes again; above disk or
    storage the tier only passes blocks on.

    Fails:  `{path: tiered-prefix-cache, cache: {cpu: {size: 20Gi}}, decode: {parallelism: {tensor: 2}}}` on
            p5.48xlarge, whose GPUs hold 78 GiB.
    Passes: `{path: tiered-prefix-cache, cache: {cpu: {size: 100Gi}}, decode: {parallelism: {tensor: 2}}}`.
    """
    asked = plan.spec.asked.cache.cpu
    if asked is None or asked.size is None or any(tier.name != "cpu" for tier in plan.tiers):
        return
    reuses = "prefill" if plan.disaggregated else "decode"
    for role, _, use in loaded(plan):
        size_of_tier = next((tier.bytes[role.name] for tier in plan.tiers), None)
        if role.name != reuses or size_of_tier is None:
            continue
        ranks = role.size.gpus_per_pod
        block, on_gpus = use.kv_bytes_per_token * role.block_size * ranks, use.kv * ranks
        if size_of_tier >= on_gpus:
            continue
        held = f"the {_gib(on_gpus)} of KV cache on the GPUs of a {role.name} pod"
        says = f"{asked.size} is less than " + (f"one block of {block // MIB} MiB" if size_of_tier < block else held)
        fix = f"set size: {-(-on_gpus // (10 * GIB)) * 10}Gi or more, or remove size"
        yield found("spec", "cache", "cpu", "size", says=says, fix=fix)


def _length(plan: Plan, role: RolePlan) -> Route:
    return role.flag_routes.get("max-model-len") or size(plan, role, "tensor", "data")


def _shorter(plan: Plan, role: RolePlan, model: ModelFacts, use: Memory) -> str:
    """The context that surely fits, fewer sequences, or the tensor parallel size that holds the one asked for."""
    tokens = use.tokens_in(use.kv - use.margin) // CONTEXT_STEP * CONTEXT_STEP
    larger = first_that_holds(plan, role, wider(role, model), use.max_model_len)
    fixes = [f"max-model-len: {tokens}"] if tokens else []
    fewer = memory_with(plan, role, max_num_seqs=FEWER)
    if fewer is not None and fewer.starts:
        fixes.append(f"max-num-seqs: {FEWER}")
    if larger:
        fixes.append(f"{role.name}'s tensor: {larger.tensor}")
    if fixes:
        return f"set {', or '.join(fixes)}"
    perhaps = use.tokens_in(favourable(plan, role, model, use)[1]) // CONTEXT_STEP * CONTEXT_STEP
    may = f", or try max-model-len: {perhaps}, which may start" if 0 < perhaps < use.max_model_len else ""
    return _other(types_that_start(plan, role, lambda _: role.size), model) + may


def _other(types: list[str], model: ModelFacts) -> str:
    """Other hardware, else smaller checkpoints."""
    smaller = smaller_checkpoints(model)
    if types:
        return f"use {one_of(types[:3])}"
    return f"serve {one_of(smaller)}" if smaller else "serve a smaller model"


def _room_for_weights(plan: Plan, role: RolePlan, model: ModelFacts) -> str:
    """What holds the weights: more tensor parallelism, more nodes, other instance types."""
    larger, wide = first_that_holds(plan, role, wider(role, model), 1), "wide-ep" in plan.paths
    if larger:
        return f"set tensor: {larger.tensor}"

    def over(nodes: int, gpus: int) -> Size:
        local = max(1, gpus // role.size.tensor)
        return structs.replace(role.size, workers=nodes, data=nodes * local, data_local=local)

    def whole_node(row: Instance) -> Size:
        return structs.replace(role.size, tensor=max(1, row.gpu.count // role.size.data_local))

    if wide:
        local = role.size.data_local
        spread = (over(role.size.workers << step, local * role.size.tensor) for step in range(1, 6))
        more = first_that_holds(plan, role, (size for size in spread if size.workers <= MOST_NODES), 1)
        if more:
            return f"set data: {more.data}, which is {more.workers} nodes"
        return _other(types_that_start(plan, role, lambda row: over(MOST_NODES, row.gpu.count)), model)
    types = types_that_start(plan, role, whole_node)
    return _other(types, model) + (", or wide-ep over several nodes" if model.experts else "")


def _gib(size_in_bytes: int) -> str:
    value = size_in_bytes / GIB
    return f"{value:.0f} GiB" if value >= 100 else f"{value:.1f} GiB"
