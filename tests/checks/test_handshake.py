"""What the two ends compare, where offloading breaks, and whom containers run as: each rule with a spec that fails and
one that passes."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from tests.specs import DEEPSEEK, QWEN, plan_of

PD, TIERED = "pd-disaggregation", "tiered-prefix-cache"
SMALL = "meta-llama/Llama-3.1-8B-Instruct"
MTP = {"method": "mtp", "num_speculative_tokens": 1}
NO_HYBRID = {"disable-hybrid-kv-cache-manager": True}
OFFLOADING = {"cpu": {"connector": "offloading"}}


def codes(path: str, model: str, instance: str, **spec: Any) -> set[str]:
    """The KVT and POD codes that are said of a spec."""
    found = {each.finding.code for each in api.check(plan_of(path, model, instance, **spec))}
    return {code for code in found if code.startswith(("KVT", "POD"))}


@pytest.mark.parametrize(
    ("code", "spec"),
    [
        ("KVT001", {"prefill": {"instanceType": "p6-b200.48xlarge"}}),
        ("KVT002", {"decode": {"env": {"VLLM_KV_CACHE_LAYOUT": "NHD"}}}),
        ("KVT004", {"release": "v0.9.0", "decode": {"args": NO_HYBRID}}),
        ("KVT006", {"with_": [TIERED], "cache": OFFLOADING}),
        ("POD001", {"decode": {"pod": {"securityContext": {"runAsUser": 0}}}}),
    ],
)
def test_a_disaggregated_deployment_that_would_not_work_is_refused(code: str, spec: dict[str, Any]) -> None:
    assert codes(PD, SMALL, "p5en.48xlarge", **spec) == {code}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"engine": {"env": {"VLLM_KV_CACHE_LAYOUT": "NHD"}}},
        {"release": "v0.6.0", "decode": {"args": NO_HYBRID}},
        {"release": "v0.9.0", "engine": {"args": NO_HYBRID}},
        {"release": "v0.6.0", "with_": [TIERED], "cache": OFFLOADING},
        {"with_": [TIERED], "cache": {"cpu": {"connector": "lmcache"}}},
        {"decode": {"pod": {"containers": [{"name": "vllm", "securityContext": {"runAsUser": 0}}]}}},
    ],
)
def test_one_that_works_is_not(spec: dict[str, Any]) -> None:
    assert codes(PD, SMALL, "p5en.48xlarge", **spec) == set()


def test_a_draft_model_is_at_both_ends_or_at_none() -> None:
    asked = {"args": {"speculative-config": MTP}}
    assert codes(PD, DEEPSEEK, "p5en.48xlarge", decode=asked) == {"KVT003"}
    assert codes(PD, DEEPSEEK, "p5en.48xlarge", engine=asked) == set()
    ngram = {"args": {"speculative-config": {"method": "ngram", "num_speculative_tokens": 3}}}
    assert codes(PD, DEEPSEEK, "p5en.48xlarge", decode=ngram) == set()


def test_blocks_across_layers_stop_the_kernels_of_blackwell() -> None:
    asked: dict[str, Any] = {"release": "v0.6.0", "cache": OFFLOADING}
    flashinfer = {"engine": {"args": {"attention-backend": "FLASHINFER"}}}
    assert codes(TIERED, QWEN, "p6-b200.48xlarge", **asked, **flashinfer) == {"KVT005"}
    assert codes(TIERED, QWEN, "p6-b200.48xlarge", **asked) == set()  # the path chooses other kernels there
    assert codes(TIERED, QWEN, "p5en.48xlarge", **asked, **flashinfer) == set()
