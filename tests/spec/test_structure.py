from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmdgen.findings import Finding
from llmdgen.spec.document import Parsed, read
from llmdgen.spec.load import build


def findings(text: str) -> list[Finding]:
    (parsed,) = read(text, "a.yaml").documents
    return build(parsed)[1]


def test_a_good_document_becomes_its_types(short: str) -> None:
    spec, wrong = build(read(short, "a.yaml").documents[0])
    assert wrong == []
    assert spec is not None
    assert spec.asked.instance_types == ("p5.48xlarge",)
    assert spec.asked.with_ == ()


def test_every_misfit_is_found_at_once(full: dict[str, Any]) -> None:
    full["spec"]["decode"] |= {"replicas": "1", "efa": "none", "unknown": 1, "env": {"A": 1, "B": 2}}
    full["spec"]["suppress"] = [{"code": "x"}]
    _, wrong = build(Parsed("", full, {}))
    assert sorted((each.code, each.at[1:]) for each in wrong) == [
        ("SPEC005", ("decode", "unknown")),
        ("SPEC006", ("suppress", 0)),
        ("SPEC007", ("decode", "env", "A")),
        ("SPEC007", ("decode", "env", "B")),
        ("SPEC007", ("decode", "replicas")),
        ("SPEC008", ("decode", "efa")),
        ("SPEC008", ("suppress", 0, "code")),
    ]


def test_a_document_of_another_kind_gets_one_finding() -> None:
    assert [each.code for each in findings("apiVersion: v1\nkind: Pod\nspec: {containers: []}\n")] == ["SPEC020"]
    assert [each.code for each in findings("a: 1\nb: 2\n")] == ["SPEC020"]
    assert [each.code for each in findings("just text\n")] == ["SPEC007"]


def test_a_key_that_is_misspelt_is_not_missing_too(short: str) -> None:
    assert [each.fix for each in findings(short.replace("instanceTypes", "instance_types"))] == [
        "did you mean instanceTypes?"
    ]


def test_what_follows_from_another_finding_is_not_said(short: str) -> None:
    assert findings(short.replace("  name: gpt-oss-pd", "  name: *name")) == []
    assert findings(short.replace("metadata:\n  name: gpt-oss-pd", "metadata:\n  <<: *base")) == []
    assert findings(short + "  release: !!int 5\n") == []


def test_null_is_refused_where_a_key_of_the_format_has_it(short: str) -> None:
    assert [each.code for each in findings(short + "  prefill:\n")] == ["SPEC019"]
    assert [each.code for each in findings(short + "  gateway: {loadBalancer: null}\n")] == ["SPEC019"]
    assert (
        findings(
            short + "  values: {router: {a: null}}\n  engine: {args: {a: null}}\n  decode: {pod: {affinity: null}}\n"
        )
        == []
    )


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("Replicas", "did you mean replicas?"),
        ("instance-type", "did you mean instanceType?"),
        ("zone", "write it under spec.cluster"),
        ("nodeselector", "write nodeSelector under spec.cluster"),
        ("max-model-len", "this is a vLLM flag, write it under spec.decode.args"),
        ("max_model_len", "this is a vLLM flag, write it under spec.decode.args"),
        ("--max-model-len", "this is a vLLM flag, write it under spec.decode.args"),
        ("tensorParallelSize", "write parallelism.tensor of a role"),
        ("loadBalancers", "did you mean loadBalancer, under spec.gateway?"),
        ("qqq", "delete it; known here: replicas, parallelism,"),
    ],
)
def test_an_unknown_key_is_answered_with_what_was_meant(
    key: str, told: str, full: dict[str, Any], report: Callable[[Any], str]
) -> None:
    full["spec"]["decode"][key] = 1
    assert f"(fix: {told}" in report(full)


@pytest.mark.parametrize(
    ("route", "value", "fix"),
    [
        ("spec.decode.replicas", "4", "remove the quotes: 4"),
        ("spec.decode.replicas", 4.0, "write 4"),
        ("spec.decode.replicas", True, "write a whole number from 1 to 10000"),
        ("spec.decode.resources.cpu", 8, 'put it in quotes: "8"'),
        ("spec.decode.resources.memory", 64, "write 64Gi"),
        ("spec.decode.resources.memory", "64gb", "write 64Gi (powers of 1024) or 64G (powers of 1000)"),
        ("spec.decode.resources.memory", "64", ""),
        ("spec.decode.parallelism.expert", "On", "write true, without quotes"),
        ("spec.decode.parallelism.expert", 0, "write false"),
        ("spec.instanceTypes", "p5.48xlarge", "write [p5.48xlarge]"),
        ("spec.decode.env", ["A=b"], "write `name: value` lines below it, indented, without dashes"),
        ("spec.scheduler.weights", {"a": "2"}, "remove the quotes: 2"),
        ("spec.platform", "EKS", "did you mean eks?"),
        ("spec.decode.efa", "3", "remove the quotes: 3"),
    ],
)
def test_a_value_of_the_wrong_form_is_answered_with_the_right_one(
    route: str, value: Any, fix: str, report_of: Callable[[str, Any], str]
) -> None:
    told = report_of(route, value)
    assert f"(fix: {fix})" in told if fix else told == ""
