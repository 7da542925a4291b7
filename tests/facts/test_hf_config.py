"""Hugging Face config.json files of several families, as model facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmdgen.engine.hf_config import ConfigError, read
from llmdgen.engine.memory import kv_bytes_per_token
from llmdgen.facts import catalogue

QWEN = {
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_size": 5120,
    "num_hidden_layers": 64,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 25600,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "sliding_window": None,
    "torch_dtype": "bfloat16",
}
DEEPSEEK = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "hidden_size": 7168,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "intermediate_size": 18432,
    "vocab_size": 129280,
    "max_position_embeddings": 163840,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "n_routed_experts": 256,
    "num_experts_per_tok": 8,
    "n_shared_experts": 1,
    "moe_intermediate_size": 2048,
    "first_k_dense_replace": 3,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}
GPT_OSS = {
    "architectures": ["GptOssForCausalLM"],
    "hidden_size": 2880,
    "num_hidden_layers": 36,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 2880,
    "vocab_size": 201088,
    "max_position_embeddings": 131072,
    "layer_types": ["sliding_attention", "full_attention"] * 18,
    "sliding_window": 128,
    "num_local_experts": 128,
    "experts_per_token": 4,
    "quantization_config": {"quant_method": "mxfp4"},
}
FAMILIES = [("Qwen/Qwen3-32B", QWEN), ("deepseek-ai/DeepSeek-R1-0528", DEEPSEEK), ("openai/gpt-oss-120b", GPT_OSS)]


def _write(folder: Path, config: Any) -> Path:
    file = folder / "config.json"
    file.write_text(config if isinstance(config, str) else json.dumps(config), "utf-8")
    return file


@pytest.mark.parametrize(("name", "config"), FAMILIES)
def test_a_config_gives_the_shape_that_the_catalogue_has(name: str, config: dict[str, Any], tmp_path: Path) -> None:
    found, known = read(_write(tmp_path, config), name), catalogue.model(name)
    same = ("architecture", "hidden_size", "attention_heads", "kv_heads", "layers", "mla", "max_position_embeddings")
    assert {key: getattr(found, key) for key in same} == {key: getattr(known, key) for key in same}
    assert (found.experts is None) == (known.experts is None)
    if found.experts and known.experts:
        assert (found.experts.routed, found.experts.per_token) == (known.experts.routed, known.experts.per_token)


@pytest.mark.parametrize(("name", "config"), FAMILIES)
def test_the_weights_are_right_to_a_tenth(name: str, config: dict[str, Any], tmp_path: Path) -> None:
    found, known = read(_write(tmp_path, config), name), catalogue.model(name)
    assert found.weight_bytes == pytest.approx(known.weight_bytes, rel=0.1)


def test_a_multimodal_config_keeps_the_language_model_below(tmp_path: Path) -> None:
    text = {key: value for key, value in QWEN.items() if key != "architectures"}
    config = {"architectures": ["Qwen3VLForConditionalGeneration"], "text_config": text, "vision_config": {"depth": 27}}
    found = read(_write(tmp_path, config), "x/y")
    assert (found.hidden_size, found.layers.full, found.kv_heads) == (5120, 64, 8)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ("null", "object"),
        ({}, "Field required"),
        ({**QWEN, "num_hidden_layers": 0}, "greater than 0"),
        ({**QWEN, "hidden_size": "wide"}, "valid integer"),
        ({**QWEN, "architectures": []}, "at least 1"),
        ({key: value for key, value in QWEN.items() if key != "vocab_size"}, "Field required"),
        (" " * (2 << 20), "larger than 1 MiB"),
        ({**QWEN, "num_hidden_layers": "64"}, "valid integer"),
        ({**QWEN, "num_key_value_heads": -8}, "greater than 0"),
        ({**QWEN, "head_dim": 0}, "greater than 0"),
        ({**QWEN, "layer_types": ["full_attention"] * 3}, "3 entries for 64 layers"),
        ({**DEEPSEEK, "first_k_dense_replace": 99}, "99, of 61 layers"),
        ({**DEEPSEEK, "n_routed_experts": -1}, "greater than or equal to 0"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(config: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says) as raised:
        read(_write(tmp_path, config), "x/y")
    assert str(tmp_path) not in str(raised.value)


def test_what_the_checkpoint_says_of_blocks_and_prediction_is_read(tmp_path: Path) -> None:
    found = read(_write(tmp_path, {**DEEPSEEK, "num_nextn_predict_layers": 1}), "x/y")
    assert (found.fp8_block, found.mtp_layers) == (128, 1)
    assert found.mtp_bytes == pytest.approx(11.6e9, rel=0.05)
    plain = read(_write(tmp_path, {**QWEN, "quantization_config": None}), "x/y")
    assert (plain.weight_dtype, plain.fp8_block, plain.mtp_layers) == ("BF16", None, None)


@pytest.mark.parametrize(
    ("rope", "positions"),
    [
        ({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072),
        ({"rope_type": "linear", "factor": 2.0}, 81920),
        ({"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}, 40960),
        ({"rope_type": "default", "rope_theta": 1000000}, 40960),
        (None, 40960),
    ],
)
def test_rope_scaling_of_the_config_stretches_the_context(
    rope: dict[str, Any] | None, positions: int, tmp_path: Path
) -> None:
    assert read(_write(tmp_path, {**QWEN, "rope_scaling": rope}), "x/y").max_position_embeddings == positions


def test_a_model_of_windows_alone_has_a_plan(tmp_path: Path) -> None:
    windows = read(_write(tmp_path, {**QWEN, "layer_types": ["sliding_attention"] * 64}), "x/y")
    assert kv_bytes_per_token(windows, 2, "auto", hybrid=True) == 1


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read config\.json"):
        read(tmp_path / "config.json", "x/y")
