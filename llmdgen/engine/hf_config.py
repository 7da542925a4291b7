"""A Hugging Face config.json as model facts, for a model that the catalogue does not know.

The same field has a different name in every family, and multimodal models keep the language model's below
`text_config`; pydantic's alias choices say where each may be. Loaded only where a spec names a config.json.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, ValidationError

from llmdgen.engine.derived import longest_context
from llmdgen.facts.types import Experts, Layers, Mla, ModelFacts

TEXT = "text_config"
MOST_BYTES = 1 << 20
LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length")
EXPERTS = ("n_routed_experts", "num_local_experts", "num_experts")
MTP = ("num_nextn_predict_layers", "mtp_num_hidden_layers")
# Bytes of a weight by the checkpoint's quantisation; routed experts carry nearly all of them in a mixture of experts.
WIDTHS = {"fp8": 1.0, "compressed-tensors": 1.0, "modelopt": 0.5625, "mxfp4": 0.53125, "awq": 0.53125, "gptq": 0.53125}


class ConfigError(ValueError):
    """A config.json that cannot be used; the message says why."""


def _either(*names: str) -> Any:
    """A field under any of these names, at the top or below text_config."""
    return AliasChoices(*names, *(AliasPath(TEXT, name) for name in names))


class HuggingFaceConfig(BaseModel):
    """The fields of config.json that memory and parallelism depend on. A number in quotes is none, for vLLM neither."""

    model_config = ConfigDict(strict=True)

    architectures: list[str] = Field(min_length=1)
    hidden_size: int = Field(gt=0, validation_alias=_either("hidden_size", "n_embd", "d_model"))
    layers: int = Field(gt=0, validation_alias=_either("num_hidden_layers", "n_layer"))
    attention_heads: int = Field(gt=0, validation_alias=_either("num_attention_heads", "n_head"))
    kv_heads: int | None = Field(None, gt=0, validation_alias=_either("num_key_value_heads"))
    head_dim: int | None = Field(None, gt=0, validation_alias=_either("head_dim"))
    intermediate_size: int = Field(0, ge=0, validation_alias=_either("intermediate_size", "n_inner"))
    vocab_size: int = Field(gt=0, validation_alias=_either("vocab_size"))
    max_position_embeddings: int = Field(gt=0, validation_alias=_either(*LENGTHS))
    rope_scaling: dict[str, Any] | None = Field(None, validation_alias=_either("rope_scaling", "rope_parameters"))
    model_type: str = ""
    layer_types: list[str] | None = Field(None, validation_alias=_either("layer_types"))
    sliding_window: int | None = Field(None, ge=0, validation_alias=_either("sliding_window"))
    kv_lora_rank: int | None = Field(None, ge=0, validation_alias=_either("kv_lora_rank"))
    qk_rope_head_dim: int | None = Field(None, ge=0, validation_alias=_either("qk_rope_head_dim"))
    routed: int | None = Field(None, ge=0, validation_alias=_either(*EXPERTS))
    per_token: int | None = Field(None, ge=0, validation_alias=_either("num_experts_per_tok", "experts_per_token"))
    shared: int | None = Field(None, ge=0, validation_alias=_either("n_shared_experts"))
    moe_intermediate_size: int | None = Field(None, gt=0, validation_alias=_either("moe_intermediate_size"))
    dense_layers: int | None = Field(None, ge=0, validation_alias=_either("first_k_dense_replace"))
    mtp_layers: int | None = Field(None, ge=0, validation_alias=_either(*MTP))
    quantization_config: dict[str, Any] | None = Field(
        None, validation_alias=_either("quantization_config", "compression_config")
    )


def read(path: Path, name: str) -> ModelFacts:
    """The facts of a model from its config.json. Raises ConfigError.

    The weights' size is computed from the shapes: embeddings, attention, and the MLP or the experts of each layer.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # a pipe may never have a writer
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"{path.name} is not a regular file")
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path.name}: {error.strerror}") from error
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{path.name} is larger than 1 MiB")
    try:
        config = HuggingFaceConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"{path.name}: {where}: {first['msg']}") from error
    kinds, layers = config.layer_types, config.layers
    if kinds is not None and len(kinds) < layers:
        raise ConfigError(f"{path.name}: layer_types has {len(kinds)} entries for {layers} layers")
    if (config.dense_layers or 0) > layers:
        raise ConfigError(f"{path.name}: first_k_dense_replace is {config.dense_layers}, of {layers} layers")
    return _facts(config, name, path)


def _facts(config: HuggingFaceConfig, name: str, path: Path) -> ModelFacts:
    experts, mla = None, None
    if config.routed:
        experts = Experts(
            routed=config.routed,
            per_token=config.per_token or 1,
            shared=config.shared or 0,
            intermediate_size=config.moe_intermediate_size or config.intermediate_size,
            dense_layers=config.dense_layers or 0,
        )
    if config.kv_lora_rank:
        mla = Mla(kv_lora_rank=config.kv_lora_rank, qk_rope_head_dim=config.qk_rope_head_dim or 0)
    quantization = config.quantization_config or {}
    method, block = str(quantization.get("quant_method", "")).lower(), quantization.get("weight_block_size")
    parameters, of_mtp = _parameters(config, experts)
    kinds = (config.layer_types or [])[: config.layers]
    linear, sliding = (sum(word in kind for kind in kinds) for word in ("linear", "sliding"))
    return ModelFacts(
        id=name,
        architecture=config.architectures[0],
        parameters=parameters,
        weight_bytes=int(parameters * WIDTHS.get(method, 2.0)),
        weight_dtype="FP8" if method == "fp8" else (method or "BF16"),
        hidden_size=config.hidden_size,
        attention_heads=config.attention_heads,
        kv_heads=config.kv_heads or config.attention_heads,
        head_dim=config.head_dim,
        layers=Layers(
            full=config.layers - linear - sliding,
            sliding=sliding,
            linear=linear,
            sliding_window=config.sliding_window if sliding else None,
        ),
        mla=mla,
        experts=experts,
        fp8_block=block[0] if isinstance(block, list) and block and isinstance(block[0], int) else None,
        mtp_layers=config.mtp_layers,
        mtp_bytes=int(of_mtp * WIDTHS.get(method, 2.0)),
        max_position_embeddings=_positions(config),
        vocab_size=config.vocab_size,
        sources=(path.name,),
    )


def _positions(config: HuggingFaceConfig) -> int:
    """The longest context: the config's own, as its rope scaling stretches it, which Gemma's figure already counts."""
    own, rope = config.max_position_embeddings, config.rope_scaling
    if rope is None or config.model_type.startswith("gemma3"):
        return own
    # The key was called type in older configs.
    return longest_context(own, {"rope_parameters": {"rope_type": rope.get("type"), **rope}}) or own


def _parameters(config: HuggingFaceConfig, experts: Experts | None) -> tuple[int, int]:
    """Parameters by the shapes, to a few percent: of the model, and of its layers for multi-token prediction, which are
    like its last. Norms, biases and routers are left out."""
    head_dim = config.head_dim or config.hidden_size // config.attention_heads
    heads = 2 * config.attention_heads + 2 * (config.kv_heads or config.attention_heads)
    attention = config.hidden_size * head_dim * heads
    dense, dense_layers = 3 * config.hidden_size * config.intermediate_size, config.layers
    last = dense
    if experts is not None:
        dense_layers = experts.dense_layers
        last = 3 * config.hidden_size * experts.intermediate_size * (experts.routed + experts.shared)
    layers = config.layers * attention + dense_layers * dense + (config.layers - dense_layers) * last
    return 2 * config.vocab_size * config.hidden_size + layers, (config.mtp_layers or 0) * (attention + last)
