"""Flags that say something about the model: they have to be true of its checkpoint and its architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmdgen.engine.memory import predicts_tokens
from llmdgen.engine.profile import batch_of, has_v2_runner
from llmdgen.kube.vllm import generation
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of

# Methods whose settings vLLM reads from the checkpoint (model_executor/layers/quantization: get_config_filenames, and
# from_config without defaults).
OFFLINE_METHODS = ("awq", "gptq", "compressed-tensors", "modelopt", "fbgemm_fp8", "quark", "mxfp4", "moe_wna16", "gguf")
SPARSE_DTYPE = "fp8_ds_mla"
BLACKWELL = 10  # the compute capability from which GPUs have FP4
SPECULATION = "speculative-config"


@rule("MOD021", "error", "a quantisation that the weights do not have")
def weights_are_quantised_so(plan: Plan) -> Iterator[Draft]:
    """Most methods of --quantization describe weights that were quantised when they were saved, and vLLM looks for
    their settings beside the weights. It quantises BF16 weights itself by a few only, and stops where the flag names
    another method than the config.json of weights that are quantised already.

    Fails:  `{engine: {args: {quantization: awq}}}` for Qwen/Qwen3-32B, whose weights are BF16;
            `{model: {name: openai/gpt-oss-120b}, engine: {args: {quantization: fp8}}}`, whose experts are MXFP4.
    Passes: `{engine: {args: {quantization: fp8}}}` for Qwen/Qwen3-32B; a quantised checkpoint without the flag.
    """
    if plan.model is None:
        return
    for role in plan.roles:
        method = role.flags.get("quantization")
        if not isinstance(method, str) or method in ("", "None"):
            continue
        stored = plan.model.weight_dtype
        rows = (row["methods"] for row in plan.engine["quantization"] if row["weights"] in stored.lower())
        methods = next(rows, [method])
        wrong, fix = method not in methods, f"remove it: vLLM reads {one_of(methods)} from the checkpoint"
        if stored.startswith("BF16"):
            wrong = method.startswith(OFFLINE_METHODS)
            fix = "remove it, write fp8, or name a checkpoint that was quantised so"
        if wrong:
            says = f"the weights of {plan.model.id} are {stored.split(' ')[0].rstrip(':')}, not {method}"
            yield found(*role.flag_routes["quantization"], says=says, fix=fix)


@rule("MOD022", "error", "speculative decoding that the model does not have")
def model_speculates_so(plan: Plan) -> Iterator[Draft]:
    """Multi-token prediction speculates with layers that the model was trained with, and EAGLE-3 reads hidden states
    that vLLM takes out of some architectures only. For any other model vLLM stops at start.

    Fails:  `{engine: {args: {speculative-config: {method: mtp, num_speculative_tokens: 1}}}}` for Qwen/Qwen3-32B.
    Passes: `{path: wide-ep, engine: {args: {speculative-config: {method: mtp, num_speculative_tokens: 1}}}}`;
            `{engine: {args: {speculative-config: {method: ngram, num_speculative_tokens: 3}}}}` for any model.
    """
    model, families = plan.model, tuple(family.lower() for family in plan.engine["eagle3_architectures"])
    if model is None:
        return
    for role in plan.roles:
        config = role.flags.get(SPECULATION)
        method = config.get("method") if isinstance(config, Mapping) else None
        at = (*role.flag_routes.get(SPECULATION, ()), "method")
        if predicts_tokens(role.flags) and model.mtp_layers == 0:
            says = f"{model.id} has no layers for multi-token prediction"
            fix = "write method: ngram, or a draft model: {method: eagle3, model: org/name}"
        elif method == "eagle3" and not model.architecture.lower().startswith(families):
            says = f"vLLM {plan.release.vllm} has no EAGLE-3 for {model.architecture}"
            fix = "write method: mtp" if model.mtp_layers else "write method: ngram"
        else:
            continue
        yield found(*at, says=says, fix=fix)


@rule("MOD027", "warning", "GPU memory that nothing reserved for the sampler", read=True)
def sampler_has_room(plan: Plan) -> Iterator[Draft]:
    """The second model runner of vLLM 0.26.0, which serves dense models, measures neither its CUDA graphs nor most of
    its sampler before it fills the GPU with KV cache. Both have to fit into what --gpu-memory-utilization leaves over,
    and at more than 0.92 with a thousand sequences they may not: out of memory under load, not at the start.

    Fails:  `{engine: {args: {gpu-memory-utilization: 0.96}}}` for Qwen/Qwen3-32B with v0.9.0.
    Passes: `{engine: {args: {gpu-memory-utilization: 0.96, max-num-seqs: 256}}}` there.
    """
    most, few = plan.engine.get("runner", {}).get("v2_utilization"), plan.engine["batch"]["seqs_small"]
    for role in plan.roles:
        share = role.flags.get("gpu-memory-utilization")
        if plan.model is None or not most or not isinstance(share, float) or share <= most:
            continue
        sequences = batch_of(role.node.instance.gpu, role.size, plan.engine, role.flags)[1]
        if sequences > few and has_v2_runner(plan.model, plan.engine, role.flags):
            says = f"{share:g} leaves little to graphs and to a sampler of {sequences} sequences"
            fix = f"set {most:g} or less, or max-num-seqs: {few}"
            yield found(*role.flag_routes["gpu-memory-utilization"], says=says, fix=fix)


@rule("MOD028", "note", "4-bit weights on GPUs that do not compute with them")
def nvfp4_is_computed(plan: Plan) -> Iterator[Draft]:
    """GPUs before Blackwell have no NVFP4: vLLM unpacks the weights for each step (Marlin), no faster than BF16.

    Fails:  `{model: {name: nvidia/Qwen3-235B-A22B-NVFP4}, instanceTypes: [p5en.48xlarge]}`.
    Passes: `{model: {name: nvidia/Qwen3-235B-A22B-NVFP4}, instanceTypes: [p6-b200.48xlarge]}`.
    """
    if plan.model is None or not plan.model.weight_dtype.upper().startswith("NVFP4"):
        return
    for role in plan.roles:
        number = generation(role.node.instance)
        if number and int(number) < BLACKWELL:
            gpu = role.node.instance.gpu.model.removeprefix("NVIDIA ")
            says = f"{gpu} of {role.node.instance.name} has no NVFP4: {plan.model.id} is no faster there than in BF16"
            yield found("spec", "model", "name", says=says, fix="serve an FP8 checkpoint, or use Blackwell")
            return


@rule("MOD024", "warning", "remote code that is not pinned")
def remote_code_is_pinned(plan: Plan) -> Iterator[Draft]:
    """--trust-remote-code runs Python files of the model's repository with all that the pod may do. Without a revision
    it runs what the main branch holds on the day a pod starts, so that one server's code differs from the next one's.

    Fails:  `{engine: {args: {trust-remote-code: true}}}`.
    Passes: `{model: {revision: b5c939de8f754692c1647ca79fbf85e8c1e70f8a}, engine: {args: {trust-remote-code: true}}}`.
    """
    said = set()
    for role in plan.roles:
        at = role.flag_routes.get("trust-remote-code", ())
        trusted = role.flags.get("trust-remote-code") is True and "revision" not in role.flags
        # The paths of llm-d v0.5.1 and v0.6.0 set the flag as upstream's guides do, and their models need none of it.
        if trusted and at != ("spec", "path") and at not in said and not plan.model_uri.startswith("pvc"):
            said.add(at)
            says = f"{role.name} runs whatever code the main branch of {plan.model_uri.partition('://')[2]} holds"
            yield found(*at, says=says, fix="set model.revision to a commit that you have read")


@rule("MOD025", "error", "a revision of weights that are not downloaded")
def revision_is_read(plan: Plan) -> Iterator[Draft]:
    """vLLM reads --revision where it asks the Hugging Face hub or its cache for a repository. A directory of a claim is
    one revision, whatever the flag says.

    Fails:  `{model: {uri: pvc://models/gpt-oss-120b, revision: b5c939de8f754692c1647ca79fbf85e8c1e70f8a}}`.
    Passes: `{model: {revision: b5c939de8f754692c1647ca79fbf85e8c1e70f8a}}`.
    """
    if plan.spec.asked.model.revision and plan.model_uri.startswith("pvc://"):
        says = "the claim holds one revision, and nothing reads this"
        yield found("spec", "model", "revision", says=says, fix="remove it, or download by uri: hf://<org>/<name>")


@rule("MOD023", "error", "a KV cache format of another attention")
def kv_format_is_the_attentions(plan: Plan) -> Iterator[Draft]:
    """fp8_ds_mla is the KV cache format of sparse attention over a compressed vector (DeepSeek-V3.2, GLM-5), and no
    other attention backend reads it. For those models vLLM itself makes it of fp8.

    Fails:  `{path: wide-ep, engine: {args: {kv-cache-dtype: fp8_ds_mla}}}` for deepseek-ai/DeepSeek-R1-0528.
    Passes: `{path: wide-ep, engine: {args: {kv-cache-dtype: fp8}}}`.
    """
    model = plan.model
    # A config.json is not read for sparse attention.
    if model is None or (model.mla is not None and (model.mla.indexer_bytes or plan.spec.asked.model.config)):
        return
    for role in plan.roles:
        if role.flags.get("kv-cache-dtype") == SPARSE_DTYPE:
            says = f"{SPARSE_DTYPE} is the format of sparse attention, which {model.id} does not have"
            yield found(*role.flag_routes["kv-cache-dtype"], says=says, fix="write fp8")
