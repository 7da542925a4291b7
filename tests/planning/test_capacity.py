"""GPU memory by vLLM's own formulas, against what vLLM 0.15.1 computes and what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import structs

from llmdgen.engine.derived import hybrid_manager_off_by
from llmdgen.engine.memory import (
    Memory,
    as_loaded,
    expert_bytes,
    experts_divide,
    kv_bytes_per_token,
    memory,
    predicts_tokens,
    smallest_tensor,
    weights_per_gpu,
)
from llmdgen.engine.size import Size
from llmdgen.facts import catalogue
from llmdgen.quantities import GIB
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of, role_of

MODELS = Path(__file__).parents[3] / "shared" / "facts" / "models.json"


@pytest.mark.parametrize(
    ("model", "tensor", "dtype", "hybrid", "expected"),
    [
        (QWEN, 2, "auto", True, 131_072),
        (QWEN, 2, "fp8", True, 65_536),
        (GPT_OSS, 1, "auto", False, 73_728),
        (GPT_OSS, 1, "auto", True, 36_864),
        (GPT_OSS, 16, "auto", False, 9_216),  # eight KV heads: a whole one stays on each of sixteen ranks
        (DEEPSEEK, 1, "auto", True, 70_272),
        (DEEPSEEK, 8, "auto", True, 70_272),  # MLA is not divided
    ],
)
def test_a_token_takes_what_vllm_says(model: str, tensor: int, dtype: str, hybrid: bool, expected: int) -> None:
    assert kv_bytes_per_token(catalogue.model(model), tensor, dtype, hybrid=hybrid) == expected


def _documented() -> list[dict[str, object]]:
    return json.loads(MODELS.read_text("utf-8")) if MODELS.is_file() else []


@pytest.mark.skipif(not MODELS.is_file(), reason="the survey of models is not beside the repository")
@pytest.mark.parametrize("row", _documented(), ids=lambda row: str(row["id"]))
def test_every_surveyed_model_takes_what_the_survey_says(row: dict[str, dict[str, int]]) -> None:
    facts = catalogue.model(str(row["id"]))
    for dtype, expected in (row.get("kv_bytes_per_token") or {}).items():
        if expected is not None and dtype in ("bf16", "fp8"):
            name = "auto" if dtype == "bf16" else "fp8"
            assert kv_bytes_per_token(facts, 1, name, hybrid=True) == expected
    for dtype, expected in (row.get("kv_bytes_per_token_hma_off") or {}).items():
        if expected is not None and dtype in ("bf16", "fp8"):
            name = "auto" if dtype == "bf16" else "fp8"
            assert kv_bytes_per_token(facts, 1, name, hybrid=False) == expected


def test_gpt_oss_takes_the_memory_that_was_measured() -> None:
    use = role_of(plan_of("pd-disaggregation", GPT_OSS), "prefill").memory_use
    assert use is not None
    assert use.weights / GIB * 2 == pytest.approx(64.38, rel=0.01)  # on two GPUs


def test_kv_events_and_connectors_of_the_specs_own_switch_the_hybrid_manager_off() -> None:
    events = role_of(plan_of("precise-prefix-cache", GPT_OSS), "decode").memory_use
    assert events is not None
    assert events.hybrid_off
    args = {"kv-transfer-config": {"kv_connector": "ExampleConnector", "kv_role": "kv_both"}}
    engine = plan_of("pd-disaggregation", GPT_OSS).engine
    assert hybrid_manager_off_by(args, engine) == "kv-transfer-config"
    assert hybrid_manager_off_by({"disable-hybrid-kv-cache-manager": True}, engine) == "disable-hybrid-kv-cache-manager"
    assert hybrid_manager_off_by({"kv-transfer-config": None}, engine) is None


def test_multi_token_prediction_loads_its_layers_and_caches_their_keys() -> None:
    model, mtp = catalogue.model(DEEPSEEK), {"speculative-config": {"method": "mtp", "num_speculative_tokens": 1}}
    loaded = as_loaded(model, mtp)
    assert loaded.weight_bytes - model.weight_bytes == 15_424_227_552
    assert kv_bytes_per_token(loaded, 8, "auto", hybrid=True) == 62 * 576 * 2
    assert as_loaded(model, {}) == model
    draft = {"speculative-config": {"method": "eagle3", "model": "a/b", "num_speculative_tokens": 1}}
    assert as_loaded(model, draft) == model


def test_sparse_attention_has_an_fp8_format_of_its_own() -> None:
    assert kv_bytes_per_token(catalogue.model("zai-org/GLM-5-FP8"), 8, "fp8", hybrid=True) == 78 * (656 + 132)


def test_a_connector_switches_the_hybrid_manager_off() -> None:
    asked = {"parallelism": {"tensor": 1}}
    with_connector = role_of(plan_of("pd-disaggregation", GPT_OSS, prefill=asked), "prefill").memory_use
    without = role_of(plan_of("inference-scheduling", GPT_OSS, decode=asked), "decode").memory_use
    assert with_connector is not None
    assert without is not None
    assert (with_connector.hybrid_off, without.hybrid_off) == (True, False)
    assert with_connector.kv_bytes_per_token == 2 * without.kv_bytes_per_token


def test_experts_are_divided_over_all_ranks_and_attention_is_not() -> None:
    model = catalogue.model(DEEPSEEK)
    size = Size(replicas=1, tensor=1, data=16, data_local=8, workers=2, expert=True)
    dense = model.weight_bytes - expert_bytes(model)
    assert weights_per_gpu(model, size) == pytest.approx(dense + expert_bytes(model) / 16, rel=1e-6)
    assert weights_per_gpu(model, size, 32) == pytest.approx(dense + expert_bytes(model) * 288 / 256 / 16, rel=1e-6)


def test_slices_of_experts_do_not_cut_a_quantisation_block() -> None:
    model = catalogue.model(DEEPSEEK)
    assert experts_divide(model, 16)
    assert not experts_divide(model, 32)


@pytest.mark.parametrize(("instance", "tensor"), [("p5.48xlarge", 2), ("g6e.48xlarge", 4), ("p6-b300.48xlarge", 1)])
def test_the_smallest_tensor_size_leaves_the_cache_room(instance: str, tensor: int) -> None:
    engine = catalogue.release_toml("v0.5.1", "engine.toml")
    assert smallest_tensor(catalogue.model(QWEN), catalogue.instance(instance), engine, 0.6) == tensor


def test_cpu_offload_and_a_fixed_cache_size_are_counted() -> None:
    asked = {"args": {"kv-cache-memory-bytes": 10 * 2**30}}
    use = role_of(plan_of("inference-scheduling", decode=asked), "decode").memory_use
    assert use is not None
    assert use.kv == 10 * 2**30
    assert use.kv_tokens == 10 * 2**30 // use.kv_bytes_per_token


def memory_of(model: str, tensor: int = 1, **args: object) -> Memory:
    """A GPU of p5.48xlarge in a role of that size with these flags, written with _."""
    flags = {name.replace("_", "-"): value for name, value in args.items()}
    size = Size(replicas=1, tensor=tensor, data=1, data_local=1, workers=1, expert=False)
    engine = catalogue.release_toml("v0.6.0", "engine.toml")
    found = memory(catalogue.model(model), catalogue.instance("p5.48xlarge"), size, engine, flags)
    assert found is not None
    return found


def test_weights_that_go_to_host_memory_leave_the_gpu() -> None:
    usual, offloaded = memory_of(QWEN), memory_of(QWEN, cpu_offload_gb=10)
    assert usual.weights - offloaded.weights == 10 * GIB
    assert offloaded.kv - usual.kv == 10 * GIB
    assert memory_of(QWEN, cpu_offload_gb=10_000).weights == 0


def test_the_length_auto_is_what_fits_and_no_more_than_the_models_own() -> None:
    small, large = memory_of(QWEN, max_model_len="auto"), memory_of(QWEN, tensor=2, max_model_len="AUTO ")
    assert small.max_model_len == small.kv_tokens < catalogue.model(QWEN).max_position_embeddings
    assert large.max_model_len == catalogue.model(QWEN).max_position_embeddings < large.kv_tokens
    assert memory_of(QWEN, max_model_len=-1).max_model_len == small.max_model_len
    assert memory_of(QWEN, max_model_len="8k").max_model_len == 8000
    assert memory_of(QWEN, max_model_len="8K").max_model_len == 8192


@pytest.mark.parametrize(
    ("config", "predicts"),
    [
        ({"method": "mtp"}, True),
        ({"method": "deepseek_mtp"}, True),
        ({"method": "ngram"}, False),
        ({"method": "mtp", "model": "org/draft"}, False),
        ({"method": "mtpx"}, False),
        ({"method": None}, False),
        ("mtp", False),
    ],
)
def test_the_models_own_layers_predict_tokens_by_these_methods(config: object, predicts: bool) -> None:
    assert predicts_tokens({"speculative-config": config}) is predicts
    assert predicts_tokens({}) is False


def test_a_dense_model_with_multi_token_prediction_keeps_its_parameters() -> None:
    dense = structs.replace(catalogue.model("Qwen/Qwen3-32B"), mtp_layers=1, mtp_bytes=GIB)
    loaded = as_loaded(dense, {"speculative-config": {"method": "mtp", "num_speculative_tokens": 1}})
    assert loaded.parameters == dense.parameters
    assert loaded.weight_bytes == dense.weight_bytes + GIB
    assert loaded.layers.full == dense.layers.full + 1


def test_a_node_without_gpus_has_a_tensor_size_of_one() -> None:
    known = catalogue.instance("p5.48xlarge")
    none = structs.replace(known, gpu=structs.replace(known.gpu, count=0, memory_mib=None))
    engine = catalogue.release_toml("v0.9.0", "engine.toml")
    assert smallest_tensor(catalogue.model("Qwen/Qwen3-32B"), none, engine, 0.9) == 1
