"""How a replica spreads over pods, and tensor parallel sizes between which KV caches travel."""

from __future__ import annotations

import pytest

from tests.checks.hardware import DEEPSEEK, GPT, QWEN, codes, the

PD = "pd-disaggregation"


def test_experts_cut_over_pods_are_a_warning() -> None:
    cut = {"decode": {"parallelism": {"data": 16, "expert": False}}}
    assert the("PAR001", "wide-ep", "p5en.48xlarge", DEEPSEEK, **cut)[0] == "spec.decode.parallelism.expert"
    assert codes("wide-ep", "p5en.48xlarge", DEEPSEEK, decode={"parallelism": {"data": 16}}) == []


def test_only_wide_ep_spans_pods() -> None:
    two = {"decode": {"parallelism": {"tensor": 8, "workers": 2}}}
    at, _, fix = the("PAR002", PD, "p5.48xlarge", GPT, **two)
    assert at == "spec.decode.parallelism.workers"
    assert fix.startswith("set replicas: 2")


@pytest.mark.parametrize(("prefill", "decode"), [(2, 3), (8, 4)])
def test_kv_caches_do_not_travel_between_these_sizes(prefill: int, decode: int) -> None:
    sizes = {"prefill": {"parallelism": {"tensor": prefill}}, "decode": {"parallelism": {"tensor": decode}}}
    assert "PAR003" in codes(PD, "p5.48xlarge", QWEN, **sizes)


@pytest.mark.parametrize(("prefill", "decode"), [(1, 4), (2, 8), (4, 2), (2, 2)])
def test_kv_caches_travel_between_these_sizes(prefill: int, decode: int) -> None:
    sizes = {"prefill": {"parallelism": {"tensor": prefill}}, "decode": {"parallelism": {"tensor": decode}}}
    assert "PAR003" not in codes(PD, "p5.48xlarge", QWEN, **sizes)
