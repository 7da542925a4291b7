"""The model against GPU memory: errors only where the spec cannot start, with the size or length that can."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llmdgen import api
from tests.checks.conftest import plan_of
from tests.checks.hardware import DEEPSEEK, GPT, QWEN, codes, findings, the

SCHEDULING = "inference-scheduling"
TIERED = "tiered-prefix-cache"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
QWEN35 = "Qwen/Qwen3.5-397B-A17B"


def decode(tensor: int, replicas: int = 4, **args: Any) -> dict[str, Any]:
    return {"decode": {"replicas": replicas, "parallelism": {"tensor": tensor}, "args": args}}


def fixes(code: str, path: str, instance: str, model: str, **spec: Any) -> set[str]:
    """The fixes of a code, which several roles may share."""
    return {each.finding.fix for each in findings(path, instance, model, **spec) if each.finding.code == code}


def test_weights_that_do_not_fit_name_the_tensor_size_that_does() -> None:
    at, says, fix = the("MOD003", SCHEDULING, "g6e.48xlarge", GPT, **decode(1, 8))
    assert at == "spec.decode.parallelism.tensor"
    assert "64.4 GiB" in says
    assert fix == "set tensor: 2"
    assert codes(SCHEDULING, "g6e.48xlarge", GPT, **decode(2)) == []


def test_a_share_of_memory_that_is_too_small_is_said_where_it_is_set() -> None:
    at, _, fix = the("MOD003", SCHEDULING, "p5.48xlarge", QWEN, **decode(2, 4, **{"gpu-memory-utilization": 0.3}))
    assert at == "spec.decode.args.gpu-memory-utilization"
    assert fix == "set it to 0.9, or set tensor: 8"


def test_weights_that_fit_no_node_of_the_type_name_types_that_hold_them() -> None:
    fix = the("MOD003", SCHEDULING, "g6e.4xlarge", DEEPSEEK)[2]
    assert "p5en.48xlarge" in fix
    assert "wide-ep" in fix


def test_wide_ep_on_too_few_nodes_names_the_nodes() -> None:
    few = {"decode": {"parallelism": {"data": 8}}}
    at, _, fix = the("MOD003", "wide-ep", "p5.48xlarge", DEEPSEEK, **few)
    assert at == "spec.decode.parallelism.data"
    assert fix == "set data: 32, which is 4 nodes"


def test_weights_that_live_in_cpu_memory_do_not_count() -> None:
    assert "MOD003" not in codes(SCHEDULING, "g6e.48xlarge", GPT, **decode(1, 8, **{"cpu-offload-gb": 40}))


def test_a_request_that_does_not_fit_names_the_length_that_does() -> None:
    at, _, fix = the("MOD004", SCHEDULING, "g6e.48xlarge", LLAMA, **decode(4, 2, **{"max-model-len": 131072}))
    assert at == "spec.decode.args.max-model-len"
    length = re.search(r"max-model-len: (\d+)", fix)
    assert length is not None
    assert int(length[1]) % 1024 == 0
    assert codes(SCHEDULING, "g6e.48xlarge", LLAMA, **decode(4, 2, **{"max-model-len": int(length[1])})) == []
    assert "tensor: 8" in fix


def test_a_request_that_fits_only_with_luck_is_a_warning() -> None:
    at, says, _ = the("MOD005", SCHEDULING, "p5.48xlarge", QWEN, **decode(1, 8, **{"max-model-len": 32768}))
    assert at == "spec.decode.args.max-model-len"
    assert "by estimate, to 1 GiB, 8.2 GiB" in says


def test_what_may_not_start_is_told_the_length_the_sequences_and_the_size_that_can() -> None:
    """vLLM 0.15.1's profile run sorts a whole vocabulary for each of 1024 sequences."""
    fix = the("MOD005", SCHEDULING, "p5.48xlarge", QWEN, **decode(1, 8))[2]
    assert fix == "set max-model-len: 28672, or max-num-seqs: 256, or decode's tensor: 2"
    for args in ({"max-model-len": 28672}, {"max-num-seqs": 256}):
        assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(1, 8, **args)) == []


@pytest.mark.parametrize("length", ["32k", "32K", "auto", -1, "32768"])
def test_a_length_may_be_written_as_vllm_takes_it(length: str | int) -> None:
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, engine={"args": {"max-model-len": length}}) == []


@pytest.mark.parametrize("flag", ["max-model-len", "gpu-memory-utilization", "block-size", "kv-cache-memory-bytes"])
def test_a_flag_that_is_no_number_is_left_to_the_checks_of_flags(flag: str) -> None:
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, engine={"args": {flag: "much"}}) == []


def test_an_architecture_that_vllm_lacks_is_a_warning() -> None:
    assert "MOD010" in codes(SCHEDULING, "p6-b200.48xlarge", QWEN35)


def test_linear_attention_does_not_start_beside_a_connector() -> None:
    assert "OffloadingConnector" in the("MOD011", TIERED, "p6-b200.48xlarge", QWEN35)[1]
    assert "MOD011" not in codes(SCHEDULING, "p6-b200.48xlarge", QWEN35)


def test_the_model_volume_holds_the_weights() -> None:
    at, _, fix = the("MOD013", SCHEDULING, "p5.48xlarge", GPT, model_settings={"size": "50Gi"})
    assert at == "spec.model.size"
    assert "80Gi" in fix
    mounted = {"size": "50Gi", "uri": "pvc://models/gpt-oss-120b"}
    assert "MOD013" not in codes(SCHEDULING, "p5.48xlarge", GPT, model_settings=mounted)


def test_a_cpu_tier_below_gpu_memory_adds_little() -> None:
    assert "65.9 GiB" in the("MOD017", TIERED, "p5.48xlarge", QWEN, cache={"cpu": {"size": "20Gi"}})[1]
    assert "one block" in the("MOD017", TIERED, "p5.48xlarge", QWEN, cache={"cpu": {"size": "1Mi"}})[1]
    assert codes(TIERED, "p5.48xlarge", QWEN, cache={"cpu": {"size": "80Gi"}}) == []


def test_an_unknown_model_is_a_warning_and_layers_stored_in_full_are_a_note() -> None:
    spec = "apiVersion: llmdgen.dev/v1alpha1\nkind: WellLitPath\nmetadata: {name: test}\nspec:\n"
    unknown = "  path: inference-scheduling\n  instanceTypes: [p5.48xlarge]\n  model: {name: a/b, size: 10Gi}\n"
    sliding = "  path: pd-disaggregation\n  instanceTypes: [p5.48xlarge]\n  model: {name: openai/gpt-oss-120b}\n"
    for text, code, severity in ((unknown, "MOD014", "warning"), (sliding, "MOD016", "note")):
        (found,) = [each.finding for each in api.check(plan_of(spec + text)) if each.finding.code == code]
        assert found.severity.value == severity


def test_where_no_length_fits_the_fix_names_types_that_hold_one_request() -> None:
    fix = the("MOD004", SCHEDULING, "g7e.48xlarge", "zai-org/GLM-4.6")[2]
    named = re.findall(r"[a-z]\w*(?:-\w+)?\.\d+xlarge", fix)
    assert fix.startswith("use ")
    assert named
    for name in named:
        assert not {"MOD003", "MOD004"} & set(codes(SCHEDULING, name, "zai-org/GLM-4.6"))


def test_weights_that_no_node_and_no_nodes_hold_name_types_or_smaller_checkpoints() -> None:
    fix = fixes("MOD003", "wide-ep", "g5.48xlarge", "zai-org/GLM-5").pop()
    assert fix.startswith("use p5e.48xlarge")
    assert "MOD003" not in codes("wide-ep", fix.split()[1].rstrip(","), "zai-org/GLM-5")


def test_checkpoints_of_one_model_are_known_by_its_name() -> None:
    from llmdgen.checks._gpu_memory import smaller_checkpoints
    from llmdgen.facts import catalogue

    assert smaller_checkpoints(catalogue.model("zai-org/GLM-5")) == ["zai-org/GLM-5-FP8", "nvidia/GLM-5-NVFP4"]
    assert smaller_checkpoints(catalogue.model("openai/gpt-oss-20b")) == []


def test_a_context_that_only_may_fit_is_told_as_such() -> None:
    (fix,) = fixes("MOD004", SCHEDULING, "p4de.24xlarge", "nvidia/Kimi-K2.5-NVFP4", release="v0.9.0")
    assert fix.startswith("use p5e.48xlarge")
    tokens = int(re.findall(r"or try max-model-len: (\d+), which may start", fix)[0])
    shorter = {"engine": {"args": {"max-model-len": tokens}}, "release": "v0.9.0"}
    found = codes(SCHEDULING, "p4de.24xlarge", "nvidia/Kimi-K2.5-NVFP4", **shorter)
    assert "MOD005" in found
    assert "MOD004" not in found
