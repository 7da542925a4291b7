"""Attention: what a GPU has no kernel for stops a spec, and blocks of a size that it does not take are told."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from llmdgen.findings import Finding
from tests.specs import plan_of

GLM, DEEPSEEK = "zai-org/GLM-5-FP8", "deepseek-ai/DeepSeek-R1-0528"


def findings(code: str, path: str, model: str, instance: str, /, **sections: Any) -> list[Finding]:
    decided = plan_of(path, model, instance, **sections)
    return [each.finding for each in api.check(decided) if each.finding.code == code]


@pytest.mark.parametrize("release", ["v0.6.0", "v0.9.0"])
@pytest.mark.parametrize("instance", ["p4de.24xlarge", "g6e.48xlarge", "g7e.48xlarge"])
def test_sparse_attention_runs_on_hopper_and_blackwell_alone(release: str, instance: str) -> None:
    (found, *_) = findings("MOD026", "wide-ep", GLM, instance, release=release)
    assert instance in found.says
    assert found.at == ("spec", "instanceTypes", 0)
    assert findings("MOD026", "wide-ep", DEEPSEEK, instance, release=release) == []
    for fitting in ("p5.48xlarge", "p6-b200.48xlarge"):
        assert findings("MOD026", "wide-ep", GLM, fitting, release=release) == []


def test_a_backend_that_the_spec_names_is_its_own_business() -> None:
    named = {"args": {"attention-backend": "FLASHINFER_MLA_SPARSE_SM120"}}
    assert findings("MOD026", "wide-ep", GLM, "g7e.48xlarge", engine=named) == []


@pytest.mark.parametrize(
    ("release", "instance", "size", "warned"),
    [
        ("v0.5.1", "p5en.48xlarge", 16, True),
        ("v0.6.0", "p5en.48xlarge", 32, True),
        ("v0.9.0", "p5en.48xlarge", 16, False),  # FLASH_ATTN_MLA's own
        ("v0.9.0", "p6-b200.48xlarge", 16, True),
        ("v0.9.0", "p6-b200.48xlarge", 32, False),
        ("v0.9.0", "p6-b200.48xlarge", 128, False),
    ],
)
def test_blocks_are_of_a_size_that_the_backend_has(release: str, instance: str, size: int, warned: bool) -> None:
    asked = {"args": {"block-size": size}}
    found = findings("VLLM022", "wide-ep", DEEPSEEK, instance, release=release, engine=asked)
    assert [each.at for each in found] == [("spec", "engine", "args", "block-size")] * warned


@pytest.mark.parametrize("model", [GLM, DEEPSEEK])
@pytest.mark.parametrize("instance", ["p5en.48xlarge", "p6-b300.48xlarge"])
def test_tiers_of_such_models_have_blocks_that_every_backend_takes(model: str, instance: str) -> None:
    decided = plan_of("tiered-prefix-cache", model, instance, release="v0.9.0")
    assert {role.flags["block-size"] for role in decided.roles} == {64}
    assert findings("VLLM022", "tiered-prefix-cache", model, instance, release="v0.9.0") == []
