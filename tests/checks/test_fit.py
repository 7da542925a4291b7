"""Node fit: what is refused would stay Pending or be killed, and the fix that is named works."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.checks.hardware import DEEPSEEK, QWEN, codes, the

SCHEDULING = "inference-scheduling"
TIERED = "tiered-prefix-cache"


def decode(**resources: str) -> dict[str, Any]:
    return {"decode": {"replicas": 4, "resources": resources}}


def test_a_pod_with_more_gpus_than_a_node_is_an_error() -> None:
    at, says, fix = the("FIT001", "wide-ep", "p5.48xlarge", DEEPSEEK, decode={"parallelism": {"dataLocal": 16}})
    assert at == "spec.decode.parallelism.dataLocal"
    assert "needs 16 GPUs" in says
    assert "dataLocal: 8" in fix


def test_ranks_that_the_spec_counts_itself_are_all_named_in_the_fix() -> None:
    asked = {"tensor": 2, "dataLocal": 8, "data": 8}
    fix = the("FIT001", SCHEDULING, "p5.48xlarge", QWEN, decode={"replicas": 1, "parallelism": asked})[2]
    assert fix == "set dataLocal: 4 and data: 4, and replicas: 2 for the same ranks"
    mended = {"replicas": 2, "parallelism": {"tensor": 2, "dataLocal": 4, "data": 4}}
    assert "FIT001" not in codes(SCHEDULING, "p5.48xlarge", QWEN, decode=mended)


@pytest.mark.parametrize(("resource", "asks"), [("cpu", "200"), ("memory", "3Ti")])
def test_a_pod_with_more_cpu_or_memory_than_a_node_is_told_what_fits(resource: str, asks: str) -> None:
    at, _, fix = the("FIT001", SCHEDULING, "p5.48xlarge", QWEN, **decode(**{resource: asks}))
    assert at == f"spec.decode.resources.{resource}"
    suits = re.search(rf'{resource}: "?([0-9A-Za-z]+)', fix)
    assert suits is not None
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(**{resource: suits[1]})) == []


def test_hyperpod_keeps_more_of_a_node_for_itself() -> None:
    asked = {"decode": {"parallelism": {"tensor": 8}, "resources": {"cpu": "185"}}}
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **asked) == []
    found = the("FIT001", SCHEDULING, "p5.48xlarge", QWEN, platform="hyperpod", **asked)
    assert "179970m on HyperPod" in found[1]


def test_cpu_that_leaves_gpus_idle_is_a_warning_with_what_uses_them_all() -> None:
    assert the("FIT002", SCHEDULING, "p5.48xlarge", QWEN, **decode(cpu="64"))[2] == 'set cpu: "47" or less'
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(cpu="47")) == []


def test_hardware_that_cannot_run_a_model_server_is_named_once() -> None:
    assert codes(SCHEDULING, "p6e-gb200.36xlarge", QWEN) == ["FIT003"]
    assert codes(SCHEDULING, "g6f.4xlarge", QWEN) == ["FIT005"]
    assert codes("pd-disaggregation", "g6f.4xlarge", QWEN) == ["FIT005"]
    assert codes(SCHEDULING, "u-p6e-gb200x72", QWEN) == ["FIT005"]


def test_hyperpod_has_no_g7() -> None:
    assert codes(SCHEDULING, "g7.48xlarge", QWEN, platform="hyperpod") == ["FIT004"]
    assert codes(SCHEDULING, "g7e.48xlarge", QWEN, platform="hyperpod") == []


def test_shared_memory_counts_against_the_container() -> None:
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="16Gi", shm="20Gi")) == ["FIT006"]
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="24Gi", shm="20Gi")) == ["FIT012"]
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="40Gi", shm="20Gi")) == []


def test_a_cpu_tier_has_to_fit_its_container() -> None:
    small = {"cache": {"cpu": {"size": "400Gi"}}, **decode(memory="200Gi")}
    at, _, fix = the("FIT007", TIERED, "p5.48xlarge", QWEN, **small)
    assert at == "spec.decode.resources.memory"
    assert fix == "set memory: 428Gi"
    assert codes(TIERED, "p5.48xlarge", QWEN, cache={"cpu": {"size": "400Gi"}}, **decode(memory="428Gi")) == []


@pytest.mark.parametrize(("size", "code"), [("600Gi", "FIT007"), ("400Gi", "FIT013")])
def test_a_cpu_tier_beyond_the_node_is_told_the_size_that_works(size: str, code: str) -> None:
    at, _, fix = the(code, TIERED, "p5.48xlarge", QWEN, cache={"cpu": {"size": size}})
    assert at == "spec.cache.cpu.size"
    suits = fix.removeprefix("set cache.cpu.size: ").removesuffix(" or less")
    assert codes(TIERED, "p5.48xlarge", QWEN, cache={"cpu": {"size": suits}}) == []


def test_all_pods_of_a_node_share_its_nvme() -> None:
    at, _, fix = the("FIT008", TIERED, "p5.48xlarge", QWEN, cache={"disk": {"size": "10Ti"}})
    assert at == "spec.cache.disk.size"
    suits = fix.removeprefix("set size: ").removesuffix(" or less")
    assert codes(TIERED, "p5.48xlarge", QWEN, cache={"disk": {"size": suits}}) == []


def test_one_small_pod_on_a_large_node_is_a_warning() -> None:
    one = {"replicas": 1, "parallelism": {"tensor": 2}}
    assert "2 of the 8 GPUs" in the("FIT010", SCHEDULING, "p5.48xlarge", QWEN, decode=one)[1]
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, decode={**one, "replicas": 2}) == []


@pytest.mark.parametrize(
    ("asked", "fix"),
    [({"memory": "4Gi", "shm": "1Gi"}, "set memory: 9Gi or more"), ({"cpu": "200m"}, 'set cpu: "2" or more')],
)
def test_ranks_without_cpu_or_memory_are_worth_a_warning(asked: dict[str, str], fix: str) -> None:
    assert the("FIT014", SCHEDULING, "p5.48xlarge", QWEN, **decode(**asked))[2] == fix
    suits = {name: re.search(r"[0-9]+[A-Za-z]*", fix).group() for name in asked if name in fix}  # type: ignore[union-attr]
    assert "FIT014" not in codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(**{**asked, **suits}))
