"""Names and labels by which objects find each other."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdgen.composition.names import model_label
from tests.specs import GPT_OSS, plan_of

LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


@given(st.text(max_size=200))
def test_any_model_name_gives_a_label_value(name: str) -> None:
    assert LABEL_VALUE.fullmatch(model_label(name))


@pytest.mark.parametrize(
    ("name", "label"),
    [("openai/gpt-oss-120b", "gpt-oss-120b"), ("a/b c:d", "b-c-d"), ("", "model"), ("x/" + "y" * 80, "y" * 63)],
)
def test_the_label_is_the_last_part_of_the_name(name: str, label: str) -> None:
    assert model_label(name) == label


def test_every_object_is_called_after_the_deployment() -> None:
    names = plan_of("pd-disaggregation", GPT_OSS).names
    assert (names.router, names.servers, names.namespace) == ("demo-router", "demo-servers", "llm-d-demo")
    assert (names.gateway, names.gateway_service) == ("demo-gateway", "demo-gateway-istio")
    assert (names.pool, names.scheduler_service) == ("demo-router", "demo-router-epp")
    assert (names.route, names.account) == ("demo", "demo")
    assert names.workload == {"prefill": "demo-prefill", "decode": "demo-decode"}


def test_only_istio_gives_the_service_another_name() -> None:
    for provider in ("kgateway", "agentgateway"):
        names = plan_of("inference-scheduling", gateway={"provider": provider}).names
        assert names.gateway_service == names.gateway


def test_labels_do_not_depend_on_the_hardware() -> None:
    first, second = (
        plan_of("pd-disaggregation", GPT_OSS, instance).labels for instance in ("p5.48xlarge", "p6-b200.48xlarge")
    )
    assert first == second
