"""Experts and KV heads against the parallelism that divides them."""

from __future__ import annotations

from llmdgen import api
from tests.checks.conftest import plan_of
from tests.checks.hardware import DEEPSEEK, GPT, QWEN, codes, the

SCHEDULING = "inference-scheduling"
FP8 = "Qwen/Qwen3-235B-A22B-Instruct-2507-FP8"


def test_copies_of_the_kv_cache_are_counted() -> None:
    wide = {"decode": {"parallelism": {"tensor": 8}}}
    _, says, fix = the("MOD008", SCHEDULING, "p5en.48xlarge", DEEPSEEK, **wide)
    assert "8 copies" in says
    assert "{tensor: 1, dataLocal: 8, expert: true}" in fix
    assert "2 copies" in the("MOD008", SCHEDULING, "p5en.48xlarge", FP8, **wide)[1]
    assert codes(SCHEDULING, "p5en.48xlarge", QWEN, **wide) == []


def test_the_data_parallel_fix_has_one_copy() -> None:
    attention = {"decode": {"parallelism": {"tensor": 1, "dataLocal": 8, "expert": True}}}
    assert "MOD008" not in codes(SCHEDULING, "p5en.48xlarge", DEEPSEEK, **attention)


def test_experts_are_cut_at_quantisation_blocks() -> None:
    cut = {"decode": {"parallelism": {"tensor": 8, "expert": False}}}
    at, says, fix = the("MOD009", SCHEDULING, "p5.48xlarge", FP8, **cut)
    assert at == "spec.decode.parallelism.tensor"
    assert "1536" in says
    assert "expert: true" in fix
    whole = {"decode": {"parallelism": {"tensor": 8, "expert": True}}}
    assert "MOD009" not in codes(SCHEDULING, "p5.48xlarge", FP8, **whole)


def test_the_paths_own_size_never_cuts_a_block() -> None:
    assert "MOD009" not in codes(SCHEDULING, "p5.48xlarge", FP8)


def test_expert_parallelism_of_the_spec_reaches_vllm() -> None:
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: test}}
spec:
  path: inference-scheduling
  instanceTypes: [p5.48xlarge]
  model: {{name: {GPT}}}
  decode: {{parallelism: {{tensor: 2, expert: true}}}}
"""
    assert "--enable-expert-parallel" in api.plan(plan_of(text).spec, "p5.48xlarge").roles[0].arguments


def test_load_balancing_needs_a_model_that_has_it() -> None:
    asked = {"engine": {"args": {"enable-eplb": True}}}
    assert the("MOD018", "wide-ep", "p5en.48xlarge", GPT, **asked)[0] == "spec.engine.args.enable-eplb"
    assert "MOD018" not in codes("wide-ep", "p5en.48xlarge", DEEPSEEK, **asked)


def test_a_dense_model_has_no_experts_to_spread() -> None:
    by_key = {"decode": {"parallelism": {"expert": True}}}
    assert the("MOD019", SCHEDULING, "p5.48xlarge", QWEN, **by_key)[0] == "spec.decode.parallelism.expert"
    by_flag = {"engine": {"args": {"enable-expert-parallel": True}}}
    assert the("MOD019", SCHEDULING, "p5.48xlarge", QWEN, **by_flag)[0] == "spec.engine.args.enable-expert-parallel"
