"""What the two ends of a KV transfer compare, and connectors that break: found before the image is pulled."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of

B200, H200 = "p6-b200.48xlarge", "p5en.48xlarge"
SHORT = {"args": {"max-model-len": 16000}}


def codes(path: str, model: str = QWEN, instance: str = H200, /, **sections: Any) -> set[str]:
    plan = plan_of(path, model, instance, **{"engine": SHORT, **sections})
    return {each.finding.code for each in api.check(plan)}


@pytest.mark.parametrize("release", ["v0.5.1", "v0.6.0", "v0.9.0"])
def test_two_gpu_generations_need_one_attention_backend(release: str) -> None:
    apart: dict[str, Any] = {"release": release, "prefill": {"instanceType": H200}}
    assert "KVT001" in codes("pd-disaggregation", GPT_OSS, B200, **apart)
    same = {"args": {"max-model-len": 16000, "attention-backend": "TRITON_ATTN"}}
    assert "KVT001" not in codes("pd-disaggregation", GPT_OSS, B200, **apart, engine=same)
    assert "KVT001" not in codes("pd-disaggregation", GPT_OSS, H200, release=release)


def test_hopper_types_share_their_backend() -> None:
    assert "KVT001" not in codes("pd-disaggregation", QWEN, H200, prefill={"instanceType": "p5.48xlarge"})


def test_a_backend_on_one_role_alone_is_told_by_name() -> None:
    plan = plan_of("pd-disaggregation", QWEN, H200, engine=SHORT, decode={"args": {"attention-backend": "FLASHINFER"}})
    said = {each.finding.code: each.finding.says for each in api.check(plan)}
    assert "FLASHINFER" in said["KVT001"]


def test_the_layout_is_one_for_both_ends() -> None:
    variable = {"VLLM_KV_CACHE_LAYOUT": "NHD"}
    assert "KVT002" in codes("pd-disaggregation", decode={"env": variable})
    assert "KVT002" not in codes("pd-disaggregation", engine={**SHORT, "env": variable})


@pytest.mark.parametrize(
    ("config", "differs"),
    [
        ({"method": "mtp", "num_speculative_tokens": 1}, True),
        ({"method": "eagle3", "model": "x/y", "num_speculative_tokens": 2}, True),
        ({"method": "ngram", "num_speculative_tokens": 2, "prompt_lookup_max": 4}, False),
    ],
)
def test_a_draft_model_stands_on_both_sides_or_on_none(config: dict[str, Any], differs: bool) -> None:
    found = codes("wide-ep", DEEPSEEK, H200, decode={"args": {"speculative-config": config}})
    assert ("KVT003" in found) is differs
    assert "KVT003" not in codes("wide-ep", DEEPSEEK, H200, engine={"args": {"speculative-config": config}})


def test_the_hybrid_manager_is_compared_from_the_release_that_compares_it() -> None:
    off = {"args": {"disable-hybrid-kv-cache-manager": True}}
    assert "KVT004" in codes("pd-disaggregation", QWEN, H200, release="v0.9.0", decode=off)
    assert "KVT004" not in codes("pd-disaggregation", QWEN, H200, release="v0.6.0", decode=off)


@pytest.mark.parametrize("release", ["v0.5.1", "v0.6.0"])
def test_offloading_on_blackwell_runs_another_backend_by_itself(release: str) -> None:
    plan = plan_of("tiered-prefix-cache", QWEN, B200, release=release, engine=SHORT)
    assert plan.roles[-1].flags["attention-backend"] == "TRITON_ATTN"
    assert "KVT005" not in {each.finding.code for each in api.check(plan)}
    asked = {"args": {"max-model-len": 16000, "attention-backend": "FLASHINFER"}}
    assert "KVT005" in codes("tiered-prefix-cache", QWEN, B200, release=release, engine=asked)


def test_offloading_needs_no_other_backend_where_the_engine_was_mended_or_the_gpu_is_another() -> None:
    for instance, release in ((B200, "v0.9.0"), (H200, "v0.6.0")):
        plan = plan_of("tiered-prefix-cache", QWEN, instance, release=release, engine=SHORT)
        assert "attention-backend" not in plan.roles[-1].flags


def test_blocks_across_layers_on_blackwell_are_refused() -> None:
    across = {"crossLayersBlocks": True}
    assert "KVT005" in codes("pd-disaggregation", QWEN, B200, release="v0.6.0", transfer=across)
    assert "KVT005" not in codes("pd-disaggregation", QWEN, H200, release="v0.6.0", transfer=across)


def test_offloading_beside_nixl_breaks_in_one_release_alone() -> None:
    tiered: dict[str, Any] = {"with_": ["tiered-prefix-cache"]}
    assert "KVT006" in codes("pd-disaggregation", QWEN, H200, release="v0.5.1", **tiered)
    assert "KVT006" not in codes("pd-disaggregation", QWEN, H200, release="v0.6.0", **tiered)
    lmcache = {"cpu": {"connector": "lmcache"}}
    assert "KVT006" not in codes("pd-disaggregation", QWEN, H200, release="v0.5.1", **tiered, cache=lmcache)


def test_multi_head_latent_attention_is_not_concerned() -> None:
    plan = plan_of("wide-ep", DEEPSEEK, H200, with_=["tiered-prefix-cache"], engine=SHORT)
    assert "KVT006" not in {each.finding.code for each in api.check(plan)}
