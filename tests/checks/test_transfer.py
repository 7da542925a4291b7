"""The KV transfer: a backend that drives EFA, RDMA, and two ends that match."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.hardware import codes, the

PD = "pd-disaggregation"
SMALL = "meta-llama/Llama-3.1-8B-Instruct"
SHORT: dict[str, Any] = {"engine": {"args": {"max-model-len": 8192}}}


def test_ucx_is_a_warning_where_there_is_no_efa_and_an_error_where_there_is() -> None:
    ucx = {"transfer": {"backend": "UCX"}}
    assert codes(PD, "g6e.4xlarge", SMALL, **ucx, **SHORT) == ["EFA002"]
    assert codes(PD, "p5.48xlarge", SMALL, **ucx, **SHORT) == ["EFA013"]


def test_ucx_over_tcp_on_purpose_is_a_warning() -> None:
    off = {"transfer": {"backend": "UCX"}, "prefill": {"efa": 0}, "decode": {"efa": 0}}
    assert codes(PD, "p5.48xlarge", SMALL, **off, **SHORT) == ["EFA002"]


def test_efa_of_g5_cannot_transfer() -> None:
    assert the("EFA004", PD, "g5.48xlarge", SMALL, **SHORT)[0] == "spec.instanceTypes.0"
    assert "EFA004" not in codes(PD, "g6.48xlarge", SMALL, **SHORT)


@pytest.mark.parametrize("other", ["p5.48xlarge", "p6-b200.48xlarge", "g6e.48xlarge"])
@pytest.mark.parametrize("closed", ["p4d.24xlarge", "p4de.24xlarge"])
def test_p4_speaks_to_no_other_type(closed: str, other: str) -> None:
    assert "EFA005" in codes(PD, other, SMALL, prefill={"instanceType": closed}, **SHORT)
    assert "EFA005" in codes(PD, closed, SMALL, prefill={"instanceType": other}, **SHORT)


def test_different_generations_are_a_warning_and_equal_ones_are_fine() -> None:
    assert codes(PD, "p5.48xlarge", SMALL, prefill={"instanceType": "p5en.48xlarge"}, **SHORT) == ["EFA014"]
    assert codes(PD, "p5.48xlarge", SMALL, prefill={"instanceType": "p5e.48xlarge"}, **SHORT) == []


@pytest.mark.parametrize("instance", ["g6e.48xlarge", "g7.48xlarge", "p5.4xlarge", "g7e.8xlarge"])
def test_gpudirect_that_nobody_states_is_a_warning(instance: str) -> None:
    assert the("EFA009", PD, instance, SMALL, **SHORT)[0] == "spec.instanceTypes.0"


def test_both_ends_have_the_same_blocks() -> None:
    own = {"prefill": {"args": {"block-size": 64}}, **SHORT}
    assert the("EFA010", PD, "p5.48xlarge", SMALL, **own)[0] == "spec.prefill.args.block-size"
    whole = {"engine": {"args": {"block-size": 128, "max-model-len": 8192}}}
    assert codes(PD, "p5.48xlarge", SMALL, **whole) == []


def test_small_blocks_slow_libfabric_down() -> None:
    small = {"engine": {"args": {"block-size": 16, "max-model-len": 8192}}}
    assert the("EFA011", PD, "p5.48xlarge", SMALL, **small)[0] == "spec.engine.args.block-size"


def test_both_ends_have_the_same_kv_cache_type() -> None:
    own = {"decode": {"args": {"kv-cache-dtype": "fp8"}}, **SHORT}
    assert the("EFA015", PD, "p5.48xlarge", SMALL, **own)[0] == "spec.decode.args.kv-cache-dtype"
    whole = {"engine": {"args": {"kv-cache-dtype": "fp8", "max-model-len": 8192}}}
    assert codes(PD, "p5.48xlarge", SMALL, **whole) == []
