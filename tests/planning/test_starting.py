"""Defaults that start: what the spec leaves open is widened, then bounded, until one request surely fits."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from llmdgen.cli.init import started
from llmdgen.facts import catalogue
from llmdgen.findings import SpecError
from tests.specs import GPT_OSS, QWEN, plan_of, role_of

NEWEST = "v0.9.0"


@pytest.mark.parametrize("instance", ["p5.48xlarge", "p4de.24xlarge", "p5.4xlarge"])
@pytest.mark.parametrize("path", sorted(catalogue.release_toml(NEWEST, "paths.toml").keys() - {"sources"}))
def test_defaults_for_gpus_of_80_gb_start_wherever_the_weights_fit(path: str, instance: str) -> None:
    for model in catalogue.model_names():
        try:
            plan = plan_of(path, model, instance, release=NEWEST)
        except SpecError:
            continue
        uses = [role.memory_use for role in plan.roles if role.memory_use is not None]
        assert uses
        if not all(use.starts for use in uses):  # then the weights leave nothing that is sure
            assert min(use.kv - use.margin for use in uses) <= 0


@pytest.mark.parametrize(
    ("model", "instance", "tensor", "most"),
    [
        (QWEN, "p5.48xlarge", 2, {}),
        (GPT_OSS, "p5.4xlarge", 1, {"max-num-seqs": 256, "max-num-batched-tokens": 2048}),
        ("openai/gpt-oss-120b", "g6e.48xlarge", 4, {}),
    ],
)
def test_more_gpus_go_before_smaller_steps(model: str, instance: str, tensor: int, most: dict[str, int]) -> None:
    plan = plan_of("inference-scheduling", model, instance, release=NEWEST)
    assert role_of(plan, "decode").size.tensor == tensor
    assert plan.most == most
    assert most.items() <= role_of(plan, "decode").flags.items()


def test_a_context_that_no_gpus_hold_is_shortened_for_both_roles_alike() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, "p5.4xlarge", release=NEWEST)
    lengths = {role.flags["max-model-len"] for role in plan.roles}
    assert lengths == {plan.most["max-model-len"]}
    assert lengths < set(range(32_768, 131_072, 1024))
    assert any("would not start" in note for note in plan.notes)


@pytest.mark.parametrize(
    "decode",
    [
        {"parallelism": {"tensor": 1}},
        {"args": {"gpu-memory-utilization": 0.86}},
    ],
)
def test_what_the_spec_decides_stays_as_it_is(decode: dict[str, Any]) -> None:
    plan = plan_of("inference-scheduling", GPT_OSS, "p5.4xlarge", release=NEWEST, decode=decode)
    assert plan.most == {}
    assert {"MOD004", "MOD005"} & {each.finding.code for each in api.check(plan)}


def test_init_writes_the_bounds_and_its_file_is_clean() -> None:
    text, wrong = started("inference-scheduling", GPT_OSS, "p5.4xlarge", "demo", "demo.yaml")
    assert wrong == []
    assert '"max-num-seqs":256' in text
