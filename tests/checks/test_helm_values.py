"""The escape hatch of the spec against what the charts read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmdgen import api
from llmdgen.checks._value_paths import leaves, read_paths, unread
from llmdgen.planning.model import Plan
from llmdgen.rendering.overrides import merged
from tests.checks.conftest import plan_of


def plan_with(path: str = "pd-disaggregation", **spec: Any) -> Plan:
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: test}}
spec: {json.dumps({"path": path, "instanceTypes": ["p5.48xlarge"], "model": {"name": "Qwen/Qwen3-32B"}, **spec})}
"""
    return plan_of(text)


def found(**spec: Any) -> list[tuple[str, str]]:
    """Code and fix of each finding."""
    every = [each.finding for each in api.check(plan_with(**spec))]
    return [(each.code, each.fix) for each in every if each.code.startswith("HELM")]


def codes(chart: str, values: dict[str, Any], **spec: Any) -> list[str]:
    return [code for code, _ in found(values={chart: values}, **spec)]


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("infra", {"gateway": {"service": {"annotations": {"a": "b"}}}}),
        ("infra", {"provider": {"name": "istio"}}),
        ("gaie", {"inferenceExtension": {"monitoring": {"prometheus": {"enable": True}}}}),
        ("gaie", {"inferenceExtension": {"resources": {"limits": {"cpu": "4"}}}}),
        ("ms", {"decode": {"nodeSelectors": {"a": "b"}}}),
        ("ms", {"routing": {"proxy": {"extraArgs": ["--enable-prefiller-sampling"]}}}),
        ("ms", {"podAnnotations": {"a": "b"}}),
    ],
)
def test_a_value_that_no_template_reads_is_an_error(chart: str, values: dict[str, Any]) -> None:
    assert codes(chart, values) == ["HELM002"]


def test_annotations_of_the_gateways_service_are_sent_to_the_spec() -> None:
    [(code, fix)] = found(values={"infra": {"gateway": {"service": {"annotations": {"a": "b"}}}}})
    assert code == "HELM002"
    assert "spec.gateway.loadBalancer.annotations" in fix


def test_a_key_inside_a_list_item_is_checked_too() -> None:
    values = {"decode": {"containers": [{"name": "vllm", "imagee": "x"}]}}
    assert codes("ms", values) == ["HELM008", "HELM002"]


def test_values_of_a_role_that_the_path_does_not_have_are_read_by_nothing() -> None:
    assert codes("ms", {"prefill": {"podAnnotations": {"a": "b"}}}, path="inference-scheduling") == ["HELM002"]


def test_gateway_values_are_read_by_nothing_where_the_gateway_is_an_extra_object() -> None:
    values = {"gateway": {"gatewayParameters": {"logLevel": "info"}}}
    assert codes("infra", values, gateway={"provider": "agentgateway"}) == ["HELM002"]
    assert codes("infra", values) == []


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("ms", {"decode": {"podAnnotations": {"a": "b"}, "extraConfig": {"priorityClassName": "high"}}}),
        ("ms", {"decode": {"podSecurityContext": {"fsGroup": 1000650000}}}),
        ("ms", {"decode": {"monitoring": {"podmonitor": {"interval": "15s", "enabled": False}}}}),
        ("gaie", {"inferenceExtension": {"flags": {"v": 4, "metrics-staleness-threshold": "2s"}}}),
        ("gaie", {"inferenceExtension": {"tolerations": [{"operator": "Exists"}]}}),
        ("infra", {"gateway": {"gatewayParameters": {"logLevel": "info", "accessLogging": True}}}),
    ],
)
def test_what_the_charts_read_and_nothing_depends_on_may_be_set(chart: str, values: dict[str, Any]) -> None:
    assert codes(chart, values) == []


def test_a_number_that_helm_prints_with_an_exponent_is_an_error() -> None:
    assert codes("gaie", {"inferenceExtension": {"flags": {"v": 1000000}}}) == ["HELM003"]
    assert codes("gaie", {"inferenceExtension": {"flags": {"v": 999999}}}) == []


def test_text_that_helm_would_execute_is_an_error() -> None:
    assert codes("ms", {"decode": {"extraConfig": {"hostname": "{{ x }}"}}}) == ["HELM004"]
    assert codes("ms", {"decode": {"extraConfig": {"hostname": "{{ `{{ x }}` }}"}}}) == []
    balancer = {"annotations": {"service.beta.kubernetes.io/aws-load-balancer-name": "{{ x }}"}}
    assert [code for code, _ in found(gateway={"loadBalancer": balancer})] == ["HELM004"]


def test_arguments_with_braces_are_not_executed_and_not_questioned() -> None:
    assert found(decode={"args": {"chat-template": "{{ messages }}"}}) == []


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("ms", {"decode": {"replicas": 8}}),
        ("ms", {"decode": {"parallelism": {"tensor": 8}}}),
        ("ms", {"modelArtifacts": {"labels": {"team": "a"}}}),
        ("ms", {"routing": {"servicePort": 8080}}),
        ("ms", {"fullnameOverride": "other"}),
        ("ms", {"extraObjects": []}),
        ("gaie", {"inferencePool": {"targetPorts": [{"number": 8080}]}}),
        ("gaie", {"inferenceExtension": {"extProcPort": 9000}}),
        ("infra", {"gateway": {"nameOverride": "other"}}),
        ("infra", {"gateway": {"annotations": {"service.beta.kubernetes.io/aws-load-balancer-name": "x"}}}),
    ],
)
def test_what_other_objects_depend_on_is_an_error(chart: str, values: dict[str, Any]) -> None:
    assert codes(chart, values) == ["HELM005"]


def test_text_where_a_template_asks_for_true_or_false_is_an_error() -> None:
    assert codes("gaie", {"inferenceExtension": {"tracing": {"enabled": "false"}}}) == ["HELM006"]


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("ms", {"decode": "x"}),
        ("ms", {"routing": {"proxy": ["x"]}}),
        ("gaie", {"inferenceExtension": 3}),
        ("infra", {"gateway": {"listeners": {"port": 80}}}),
    ],
)
def test_a_value_of_another_shape_than_the_chart_reads_is_an_error(chart: str, values: dict[str, Any]) -> None:
    assert codes(chart, values) == ["HELM006"]


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("ms", {"decode": {"containers": None}}),
        ("ms", {"modelArtifacts": {"labels": None}}),
        ("gaie", {"inferenceExtension": {"image": None}}),
    ],
)
def test_a_key_that_the_deployment_needs_cannot_be_removed(chart: str, values: dict[str, Any]) -> None:
    assert codes(chart, values) == ["HELM007"]


def test_a_list_that_replaces_llmdgens_own_is_worth_a_warning() -> None:
    assert codes("ms", {"decode": {"volumes": [{"name": "a", "emptyDir": {}}]}}) == ["HELM008"]


@pytest.mark.parametrize(
    "path", ["inference-scheduling", "pd-disaggregation", "precise-prefix-cache", "tiered-prefix-cache"]
)
def test_llmdgen_writes_no_value_that_a_chart_does_not_read(path: str) -> None:
    from ruamel.yaml import YAML

    plan = plan_with(path)
    files = api.render(plan)
    for chart in ("infra", "gaie", "ms"):
        values = YAML(typ="safe", pure=True).load(merged(files[f"values/{chart}.yaml"], {}))
        assert list(leaves(values))
        assert [each.route for each in unread(values, read_paths(plan.release.name, chart))] == []
