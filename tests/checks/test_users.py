"""Containers run as users that the kubelet starts them as."""

from __future__ import annotations

from typing import Any

from llmdgen import api
from tests.specs import plan_of

ROOT = {"securityContext": {"runAsUser": 0}}


def codes(**sections: Any) -> set[str]:
    plan = plan_of("pd-disaggregation", engine={"args": {"max-model-len": 16000}}, **sections)
    return {each.finding.code for each in api.check(plan)}


def test_a_pod_of_root_does_not_start_its_sidecar() -> None:
    assert "POD001" in codes(decode={"pod": ROOT})


def test_prefill_has_no_sidecar_that_refuses_root() -> None:
    assert "POD001" not in codes(prefill={"pod": ROOT})


def test_vllm_alone_may_be_root() -> None:
    assert "POD001" not in codes(decode={"pod": {"containers": [{"name": "vllm", **ROOT}]}})
