"""What vLLM takes of a GPU beside weights and KV cache: the peak of its profile run, non-torch memory, CUDA graphs.

The shape of the formula is vLLM's (v1/worker/gpu_worker.py); its constants stand in the release's engine.toml,
[memory], with what they were fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdgen.engine.numbers import whole
from llmdgen.engine.size import Size
from llmdgen.facts.catalogue import gpu_fact
from llmdgen.facts.types import Gpu, ModelFacts
from llmdgen.quantities import GIB, MIB
from llmdgen.untyped import mapping


def usable(gpu: Gpu) -> int:
    """Bytes of a GPU as CUDA reports them, which are fewer than a catalogue's."""
    logged = gpu_fact("usable_gib", gpu.model)
    return int(logged * GIB if logged else (gpu.memory_mib or 0) * MIB * gpu_fact("usable_share", gpu.model))


def default_batch(gpu: Gpu, engine: Mapping[str, Any]) -> tuple[int, int]:
    """The tokens and the sequences of a step that vLLM takes on these GPUs where it is not told."""
    batch = engine["batch"]
    large = (gpu.memory_mib or 0) * MIB >= batch["large_gpu_gib"] * GIB
    size = "large" if large and not any(name in gpu.model for name in batch["not_large"]) else "small"
    return batch[f"tokens_{size}"], batch[f"seqs_{size}"]


def batch_of(gpu: Gpu, size: Size, engine: Mapping[str, Any], args: Mapping[str, Any]) -> tuple[int, int]:
    """The tokens and the sequences of a step with these flags."""
    tokens, sequences = default_batch(gpu, engine)
    if size.data > 1 and args.get("all2all-backend") in engine["batch"].get("small_all2all_backends", ()):
        tokens, sequences = engine["batch"]["tokens_small_all2all"], engine["batch"]["seqs_small_all2all"]
    tokens = whole(args.get("max-num-batched-tokens"), tokens)
    return tokens, min(tokens, whole(args.get("max-num-seqs"), sequences))


def several(size: Size) -> bool:
    """Whether the GPU is one of several of its replica, which makes estimates rougher."""
    return size.tensor * size.data > 1


def profiled(model: ModelFacts, gpu: Gpu, size: Size, engine: Mapping[str, Any], args: Mapping[str, Any]) -> int:
    """Bytes of a GPU that vLLM's profile run takes off the KV cache: the larger of a forward pass of all batched tokens
    and of a sampler over the whole vocabulary, the experts' workspace, non-torch memory, graphs."""
    settings, v2 = engine["memory"], has_v2_runner(model, engine, args)
    tokens, sequences = batch_of(gpu, size, engine, args)
    sampler = settings["sampler_bytes_v2" if v2 else "sampler_bytes"] * sequences * (model.vocab_size or 0)
    inner, hidden = _width(model) / size.tensor, model.hidden_size
    forward = tokens * (settings["forward_bytes_intermediate"] * inner + settings["forward_bytes_hidden"] * hidden)
    workspace = 0.0
    if model.experts is not None and size.data > 1:
        gathers = args.get("all2all-backend", settings["gathers"][0]) in settings["gathers"]
        forward += settings["gathered_bytes"] * tokens * size.data * hidden * gathers
        workspace = settings["all2all_buffer_gib"] * GIB * (not gathers)
        tokens *= size.data if gathers else 1
    # The measured peak of MXFP4 experts, gpt-oss's, is the sampler's alone.
    if model.experts is not None and not model.weight_dtype.upper().startswith("MXFP4"):
        own = model.experts.intermediate_size / (1 if size.expert else size.tensor * size.data)
        rows = min(tokens, settings.get("moe_tokens_most", tokens)) * model.experts.per_token
        workspace += settings["moe_workspace_bytes"] * rows * (max(own, hidden) + max(2 * own, hidden))
    fixed = settings["base_gib"] + settings["non_torch_gib_several_gpus" if several(size) else "non_torch_gib"]
    if not v2 and not args.get("enforce-eager"):
        fixed += settings["graphs_gib"]
    return int(max(forward, sampler) + workspace + fixed * GIB)


def _width(model: ModelFacts) -> float:
    """The inner width of the widest MLP outside of routed experts, whose rows are the workspace's: of a dense layer,
    which mixtures of experts make as wide as all that a token visits; else of the shared experts, or what a dense
    model's parameters leave beside embeddings and attention."""
    if model.experts is not None:
        visited = model.experts.shared + (model.experts.per_token if model.experts.dense_layers else 0)
        return visited * model.experts.intermediate_size
    head_dim = model.head_dim or model.hidden_size // model.attention_heads
    layers = model.layers.full + model.layers.sliding + model.layers.linear
    attention = layers * model.hidden_size * head_dim * 2 * (model.attention_heads + model.kv_heads)
    left = (model.parameters or 0) - 2 * (model.vocab_size or 0) * model.hidden_size - attention
    return max(0, left) / (3 * model.hidden_size * layers)


def has_v2_runner(model: ModelFacts, engine: Mapping[str, Any], args: Mapping[str, Any]) -> bool:
    """Whether vLLM takes its second model runner, whose profile run leaves most of the sampler and the graphs out."""
    runner = engine.get("runner")
    if runner is None or any(args.get(flag) for flag in runner["v1_with"]):
        return False
    method = mapping(args.get("speculative-config")).get("method")
    if method is not None and method not in runner["v2_methods"]:
        return False
    if model.experts is not None:
        return model.architecture.startswith(tuple(runner["v2_experts"]))
    return not model.layers.linear
