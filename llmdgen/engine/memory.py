"""GPU memory: what the weights take, what a token of KV cache costs, how many tokens fit.

The formulas are vLLM's own (v1/kv_cache_interface.py); the two estimates, resident weights against file size and what
the profile run takes, come from the release's engine.toml. All sizes are bytes of one GPU unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from llmdgen.engine.derived import hybrid_manager_off_by, longest_context
from llmdgen.engine.numbers import decimal, whole
from llmdgen.engine.profile import batch_of, profiled, several, usable
from llmdgen.engine.size import Size
from llmdgen.facts.types import Instance, ModelFacts
from llmdgen.quantities import GIB, MIB
from llmdgen.untyped import mapping

# Bytes of a KV element, by --kv-cache-dtype; auto follows the model, whose activations are 16 bit.
KV_DTYPE_BYTES = {"auto": 2, "bfloat16": 2}
FP8_BYTES = 1
DENSE_BYTES_FP8 = 1.2  # attention and dense layers in FP8, embeddings and norms in BF16
DENSE_BYTES = 2.0  # BF16, which the 4-bit formats keep for everything but the experts


class Memory(Struct, frozen=True, kw_only=True):
    """One GPU's memory in a role, and the KV cache that is left.

    `gpu` is what CUDA reports, `budget` vLLM's share of it; `activations` is what vLLM takes beside weights and KV
    cache, and `margin` by how much the estimate may err: 0 where nothing hangs on it, because the spec fixes the KV
    cache or leaves the context to vLLM. `kv_bytes_per_token` is what a token takes on each GPU, `window` what a request
    takes beside its tokens (sliding windows, the state of linear layers), `stored_bytes_per_token` what each GPU's
    share of a token takes in a cache tier, whose blocks hold layers with a window too; `kv_tokens` is what fits on one
    data parallel rank, `sequences` how many requests of `max_model_len` that is. `hybrid_off` says that sliding-window
    layers are stored in full because a KV connector switches the hybrid KV cache manager off.
    """

    gpu: int
    budget: int
    weights: int
    activations: int
    margin: int
    kv: int
    kv_bytes_per_token: int
    window: int
    stored_bytes_per_token: int
    kv_tokens: int
    max_model_len: int
    hybrid_off: bool

    @property
    def sequences(self) -> float:
        return self.kv_tokens / self.max_model_len

    @property
    def needed(self) -> int:
        """Bytes of KV cache that one request of the longest context takes; with less vLLM does not start."""
        return self.window + self.max_model_len * self.kv_bytes_per_token

    @property
    def starts(self) -> bool:
        """Whether vLLM starts even where the estimate errs against it."""
        return self.kv - self.margin >= self.needed

    def tokens_in(self, size: int) -> int:
        """Tokens of one request that so many bytes of KV cache hold."""
        return max(0, size - self.window) // self.kv_bytes_per_token


def memory(
    model: ModelFacts, instance: Instance, size: Size, engine: dict[str, Any], args: Mapping[str, Any]
) -> Memory | None:
    """The memory of each GPU of a role; None where the instance's GPU memory is not known."""
    if instance.gpu.memory_mib is None:
        return None
    model = as_loaded(model, args)
    gpu, hybrid = usable(instance.gpu), hybrid_manager_off_by(args, engine) is None
    utilization = engine["gpu_memory_utilization"]
    budget = int(gpu * decimal(args.get("gpu-memory-utilization", utilization), utilization))
    in_cpu = int(decimal(args.get("cpu-offload-gb", 0), 0) * GIB)
    held = weights_per_gpu(model, size, redundant_experts(args))
    weights = max(0, int(held * resident_ratio(model, engine)) - in_cpu)
    activations = profiled(model, instance.gpu, size, engine, args)
    fixed = whole(args.get("kv-cache-memory-bytes"), 0)
    dtype = str(args.get("kv-cache-dtype", "auto"))
    shared = max(1, whole(args.get("decode-context-parallel-size"), 1))
    found = Memory(
        gpu=gpu,
        budget=budget,
        weights=weights,
        activations=activations,
        margin=0 if fixed or _is_auto(args) else margin(size, engine),
        kv=fixed or max(0, budget - weights - activations),
        kv_bytes_per_token=max(1, kv_bytes_per_token(model, size.tensor, dtype, hybrid=hybrid) // shared),
        window=_window(model, size, dtype, batch_of(instance.gpu, size, engine, args)[0]) if hybrid else 0,
        stored_bytes_per_token=kv_bytes_per_token(model, size.tensor, dtype, hybrid=False),
        kv_tokens=0,
        max_model_len=1,
        hybrid_off=not hybrid and model.layers.sliding > 0,
    )
    tokens = found.tokens_in(found.kv)
    return structs.replace(found, kv_tokens=tokens, max_model_len=_longest(args, model, tokens))


def margin(size: Size, engine: dict[str, Any]) -> int:
    """By how many bytes the estimate of a GPU may err."""
    return int(engine["memory"]["margin_gib_several_gpus" if several(size) else "margin_gib"] * GIB)


def redundant_experts(args: Mapping[str, Any]) -> int:
    """Copies of experts that EPLB keeps."""
    return whole(mapping(args.get("eplb-config")).get("num_redundant_experts"), 0) if args.get("enable-eplb") else 0


def _window(model: ModelFacts, size: Size, dtype: str, batched: int) -> int:
    """Bytes on a GPU that a request takes whatever its length: of sliding layers the window and two steps of tokens, of
    linear ones their state."""
    a_layer = _layer_bytes(model, size.tensor, dtype)
    tokens = (model.layers.sliding_window or 0) + 2 * batched
    state = model.linear_state_bytes // size.tensor
    return model.layers.sliding * a_layer * tokens + state


def kv_bytes_per_token(model: ModelFacts, tensor: int, dtype: str, *, hybrid: bool) -> int:
    """Bytes of KV cache of one token on each GPU.

    MLA keeps one compressed vector a layer, a full copy on every tensor parallel rank. Otherwise the KV heads are
    divided, and replicated once there are fewer heads than ranks. Without the hybrid manager sliding-window layers
    count as full ones; linear layers hold no growing state.
    """
    element = KV_DTYPE_BYTES.get(dtype, FP8_BYTES)
    layers = model.layers.full + (0 if hybrid else model.layers.sliding)
    if model.mla:
        vector = (model.mla.kv_lora_rank + model.mla.qk_rope_head_dim) * element
        if element == FP8_BYTES and model.mla.fp8_bytes:
            vector = model.mla.fp8_bytes
        return layers * (vector + model.mla.indexer_bytes)
    # Where every layer has a window or a fixed state, nothing grows with the context; 1 keeps the arithmetic finite.
    return max(1, layers * _layer_bytes(model, tensor, dtype))


def _layer_bytes(model: ModelFacts, tensor: int, dtype: str) -> int:
    """Bytes of keys and values of one token in one layer on each GPU."""
    head_dim = model.head_dim or model.hidden_size // model.attention_heads
    return 2 * max(1, model.kv_heads // tensor) * head_dim * KV_DTYPE_BYTES.get(dtype, FP8_BYTES)


def predicts_tokens(args: Mapping[str, Any]) -> bool:
    """Whether vLLM speculates with the model's own layers for multi-token prediction (MTP)."""
    config = mapping(args.get("speculative-config"))
    method = config.get("method")
    return isinstance(method, str) and (method == "mtp" or method.endswith("_mtp")) and not config.get("model")


def as_loaded(model: ModelFacts, args: Mapping[str, Any]) -> ModelFacts:
    """The model with what the flags make vLLM load of it: MTP layers, each with weights and KV cache of its own."""
    if not model.mtp_layers or not predicts_tokens(args):
        return model
    parameters = model.parameters
    if parameters is not None and model.experts is not None:  # dense parameters stay what they are: expert_bytes
        one = model.experts.routed * 3 * model.hidden_size * model.experts.intermediate_size
        parameters += model.mtp_layers * one
    return structs.replace(
        model,
        parameters=parameters,
        weight_bytes=model.weight_bytes + model.mtp_bytes,
        layers=structs.replace(model.layers, full=model.layers.full + model.mtp_layers),
    )


def weights_per_gpu(model: ModelFacts, size: Size, redundant_experts: int = 0) -> int:
    """Bytes of the checkpoint that one GPU holds.

    Tensor parallelism divides everything. Experts are divided over all ranks of the replica, data parallel ones too:
    whole experts with expert parallelism, slices of each without (vLLM fused_moe/config.py, flatten_tp_across_dp).
    Attention and dense layers stay whole on each data parallel rank.
    """
    if model.experts is None:
        return model.weight_bytes // size.tensor
    experts = expert_bytes(model)
    share = 1 + redundant_experts / model.experts.routed if size.expert else 1
    return int((model.weight_bytes - experts) / size.tensor + experts * share / (size.tensor * size.data))


def experts_divide(model: ModelFacts, ranks: int) -> bool:
    """Whether every expert can be cut into `ranks` slices: vLLM refuses slices that cut a block of an FP8 block
    quantisation (quantization/fp8.py)."""
    if model.experts is None or model.fp8_block is None:
        return True
    return model.experts.intermediate_size % (ranks * model.fp8_block) == 0


def resident_ratio(model: ModelFacts, engine: dict[str, Any]) -> float:
    """GPU-resident weights over the checkpoint's size: as measured for the model, else the release's estimate of what
    MLA's absorbed projections and the padding of 4-bit formats add. All else loads as large as it is."""
    plain = model.mla is None and model.weight_dtype.upper().startswith(("BF16", "FP8"))
    return model.resident_weights or (1.0 if plain else float(engine["resident_weights"]))


def roomy_weights(model: ModelFacts, engine: dict[str, Any]) -> float:
    """The same ratio with room to spare for every model, by which servers are sized."""
    return model.resident_weights or float(engine["resident_weights"])


def expert_bytes(model: ModelFacts) -> int:
    """Bytes of all routed experts: the checkpoint less its dense part, which has a width of its own."""
    if model.experts is None:
        return 0
    moe_layers = model.layers.full + model.layers.sliding + model.layers.linear - model.experts.dense_layers
    parameters = moe_layers * model.experts.routed * 3 * model.hidden_size * model.experts.intermediate_size
    dense = max(0, (model.parameters or parameters) - parameters)
    width = DENSE_BYTES_FP8 if model.weight_dtype.startswith("FP8") else DENSE_BYTES
    return max(0, model.weight_bytes - int(dense * width))


def smallest_tensor(model: ModelFacts, instance: Instance, engine: dict[str, Any], weights_share: float) -> int:
    """The smallest tensor parallel size, a power of two that divides the attention heads, whose weights take at most
    `weights_share` of the GPU's budget; the whole node where none does."""
    gpus = max(1, instance.gpu.count)
    budget = (instance.gpu.memory_mib or 0) * MIB * engine["gpu_memory_utilization"]
    tensor = 1
    while tensor < gpus:
        resident = model.weight_bytes / tensor * roomy_weights(model, engine)
        if model.attention_heads % tensor == 0 and resident <= budget * weights_share:
            break
        tensor *= 2
    return min(tensor, gpus)


def _longest(args: Mapping[str, Any], model: ModelFacts, kv_tokens: int) -> int:
    """--max-model-len: as asked, the model's own where nothing is, what fits for `auto`."""
    own = model.max_position_embeddings
    own = longest_context(own, mapping(args.get("hf-overrides"))) or own
    return max(1, min(own, kv_tokens) if _is_auto(args) else whole(args.get("max-model-len"), own))


def _is_auto(args: Mapping[str, Any]) -> bool:
    return str(args.get("max-model-len")).strip().lower() in ("auto", "-1")
