"""Flags that say something about the model, on models of which it is true and on others."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from llmdgen.findings import Route
from tests.checks.hardware import DEEPSEEK, GPT, QWEN, codes, the
from tests.specs import plan_of

SCHEDULING = "inference-scheduling"
MTP = {"method": "mtp", "num_speculative_tokens": 1}


def with_args(**args: Any) -> dict[str, Any]:
    return {"engine": {"args": {name.replace("_", "-"): value for name, value in args.items()}}}


@pytest.mark.parametrize(
    ("model", "method", "right"),
    [
        (QWEN, "fp8", True),
        (QWEN, "awq", False),
        ("Qwen/Qwen3-32B-FP8", "fp8", True),
        ("Qwen/Qwen3-32B-FP8", "awq", False),
        (GPT, "mxfp4", True),
        (GPT, "fp8", False),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "compressed-tensors", True),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "fp8", False),
        ("nvidia/Qwen3-235B-A22B-NVFP4", "modelopt_fp4", True),
        ("nvidia/Qwen3-235B-A22B-NVFP4", "fp8", False),
    ],
)
def test_quantization_is_that_of_the_checkpoint(model: str, method: str, right: bool) -> None:
    found = codes(SCHEDULING, "p6-b200.48xlarge", model, **with_args(quantization=method))
    assert ("MOD021" not in found) == right


def test_only_models_with_its_layers_predict_several_tokens() -> None:
    at, says, fix = the("MOD022", SCHEDULING, "p5.48xlarge", QWEN, **with_args(speculative_config=MTP))
    assert at == "spec.engine.args.speculative-config.method"
    assert "no layers for multi-token prediction" in says
    assert "ngram" in fix
    assert "MOD022" not in codes("wide-ep", "p5en.48xlarge", DEEPSEEK, **with_args(speculative_config=MTP))


def test_eagle_reads_hidden_states_of_some_architectures() -> None:
    eagle = with_args(speculative_config={"method": "eagle3", "model": "a/b", "num_speculative_tokens": 3})
    assert "MOD022" not in codes(SCHEDULING, "p5.48xlarge", GPT, **eagle)
    assert the("MOD022", "wide-ep", "p5en.48xlarge", DEEPSEEK, **eagle)[2] == "write method: mtp"


def test_the_format_of_sparse_attention_is_refused_elsewhere() -> None:
    sparse = with_args(kv_cache_dtype="fp8_ds_mla")
    assert the("MOD023", SCHEDULING, "p5.48xlarge", QWEN, **sparse)[2] == "write fp8"
    assert "MOD023" not in codes(SCHEDULING, "p6-b300.48xlarge", "zai-org/GLM-5-FP8", release="v0.6.0", **sparse)


COMMIT = "b5c939de8f754692c1647ca79fbf85e8c1e70f8a"


def judged(**model: Any) -> dict[str, Route]:
    """The codes about a model that trusts remote code, with their places."""
    plan = plan_of(SCHEDULING, QWEN, "p5.48xlarge", release="v0.9.0", **with_args(trust_remote_code=True), model=model)
    return {each.finding.code: each.finding.at for each in api.check(plan)}


def test_remote_code_is_held_to_a_commit() -> None:
    assert judged()["MOD024"] == ("spec", "engine", "args", "trust-remote-code")
    assert "MOD024" not in judged(revision=COMMIT)
    assert "MOD024" not in judged(uri="pvc://models/qwen")
    assert "MOD024" not in codes("wide-ep", "p5en.48xlarge", DEEPSEEK)


def test_a_directory_of_a_claim_has_no_other_revision() -> None:
    assert judged(uri="pvc://models/qwen", revision=COMMIT)["MOD025"] == ("spec", "model", "revision")
    assert "MOD025" not in judged(uri="pvc+hf://models/hub/Qwen/Qwen3-32B", revision=COMMIT)
    assert "MOD025" not in judged(revision=COMMIT)
