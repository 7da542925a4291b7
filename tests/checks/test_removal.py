"""Null under args: a flag that the path sets is left out, any other has lost its value."""

from __future__ import annotations

import json
from typing import Any

from llmdgen import api
from tests.checks.conftest import plan_of
from tests.specs import RELEASE


def found(path: str, model: str = "openai/gpt-oss-120b", **spec: Any) -> list[tuple[str, str]]:
    whole = {"path": path, "release": RELEASE, "instanceTypes": ["p5.48xlarge"], "model": {"name": model}, **spec}
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: test}}
spec: {json.dumps(whole)}
"""
    findings = [each.finding for each in api.check(plan_of(text))]
    return [(each.code, ".".join(map(str, each.at))) for each in findings if each.code in ("VLLM030", "VLLM031")]


def test_a_flag_without_a_value_is_an_error() -> None:
    args = {"max-num-seqs": None}
    assert found("pd-disaggregation", engine={"args": args}) == [("VLLM030", "spec.engine.args.max-num-seqs")]
    assert found("pd-disaggregation", decode={"args": args}) == [("VLLM030", "spec.decode.args.max-num-seqs")]


def test_null_leaves_out_what_the_path_or_the_engine_sets() -> None:
    assert found("inference-scheduling", release="v0.6.0", engine={"args": {"gpu-memory-utilization": None}}) == []
    both = {"engine": {"args": {"max-num-seqs": 64}}, "prefill": {"args": {"max-num-seqs": None}}}
    assert found("pd-disaggregation", **both) == []
    assert found("pd-disaggregation", engine={"args": {"enable-eplb": None}}) == []


def test_a_flag_that_does_not_exist_is_said_once() -> None:
    assert found("inference-scheduling", engine={"args": {"max-modle-len": None, "port": None}}) == []


def test_pods_that_share_storage_hash_alike() -> None:
    shared = {"with": ["tiered-prefix-cache"], "cache": {"storage": {"claim": "kv"}}}
    seeds = {"prefill": {"env": {"PYTHONHASHSEED": "1"}}, "decode": {"env": {"PYTHONHASHSEED": "2"}}}
    assert found("pd-disaggregation", **shared, **seeds) == [("VLLM031", "spec.decode.env.PYTHONHASHSEED")]
    assert found("pd-disaggregation", **shared, engine={"env": {"PYTHONHASHSEED": "1"}}) == []
    random = {"engine": {"env": {"PYTHONHASHSEED": "random"}}}
    assert found("pd-disaggregation", **shared, **random) == [("VLLM031", "spec.engine.env.PYTHONHASHSEED")]
    assert found("pd-disaggregation", **seeds) == []
