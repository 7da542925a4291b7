"""spec.values.router against what the router's chart reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmdgen import api
from llmdgen.checks.helm import read_paths, unread
from llmdgen.facts.catalogue import release_names
from llmdgen.objects.router import router_values
from llmdgen.planning.model import Plan
from tests.checks.conftest import plan_of

RELEASES = release_names()


def plan_with(path: str = "pd-disaggregation", **spec: Any) -> Plan:
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: test}}
spec: {json.dumps({"path": path, "instanceTypes": ["p5.48xlarge"], "model": {"name": "Qwen/Qwen3-32B"}, **spec})}
"""
    return plan_of(text)


def found(values: dict[str, Any], **spec: Any) -> list[tuple[str, str]]:
    """Code and fix of each finding."""
    every = [each.finding for each in api.check(plan_with(values={"router": values}, **spec))]
    return [(each.code, each.fix) for each in every if each.code.startswith("HELM")]


def codes(values: dict[str, Any], **spec: Any) -> list[str]:
    return [code for code, _ in found(values, **spec)]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"routing": {"proxy": {}}}, "HELM002"),
        ({"inferenceExtension": {"monitoring": {"prometheus": {"enable": True}}}}, "HELM002"),
        ({"inferenceExtension": {"resources": {"limits": {"cpu": "4"}}}}, "HELM002"),
        ({"inferenceExtension": {"flags": {"v": 1000000}}}, "HELM003"),
        ({"inferenceExtension": {"flags": {"v": 999999}}}, None),
        ({"inferenceExtension": {"sidecar": {"args": ["{{ x }}"]}}}, "HELM004"),
        ({"inferenceExtension": {"sidecar": {"args": ["{{ `{{ x }}` }}"]}}}, None),
        ({"inferenceExtension": {"sidecar": {"volumes": [{"name": "a", "emptyDir": {"{{ x }}": 1}}]}}}, "HELM004"),
        ({"inferenceExtension": {"sidecar": {"args": ["http://x/$(HF_TOKEN)"]}}}, "HELM010"),
        ({"inferenceExtension": {"sidecar": {"args": ["http://x/$$(HF_TOKEN)"]}}}, None),
        ({"inferenceExtension": {"affinity": {"podAffinity": {}}}}, None),
        ({"inferencePool": {"targetPorts": [{"number": 8080}]}}, "HELM005"),
        ({"inferenceExtension": {"extProcPort": 9000}}, "HELM005"),
        ({"inferenceExtension": {"replicas": 2}}, "HELM005"),
        ({"inferenceExtension": {"tracing": {"enabled": "false"}}}, "HELM006"),
        ({"inferenceExtension": {"tracing": {"enabled": False}}}, None),
        ({"inferenceExtension": 3}, "HELM006"),
        ({"provider": ["istio"]}, "HELM006"),
        ({"inferenceExtension": {"image": None}}, "HELM007"),
        ({"inferencePool": {"modelServers": None}}, "HELM007"),
        ({"inferenceExtension": {"tolerations": None}}, None),
        ({"inferenceExtension": {"env": [{"name": "A", "value": "b"}]}}, "HELM008"),
        ({"inferenceExtension": {"failureMode": "FailOpen"}}, None),
        ({"inferenceExtension": {"failureMode": "Open"}}, "HELM009"),
        ({"inferenceExtension": {"tolerations": [{"operator": "Exists"}]}}, None),
        ({"inferenceExtension": {"tolerations": [{"operater": "Exists"}]}}, "HELM009"),
        ({"inferenceExtension": {"tolerations": "all"}}, "HELM009"),
        ({"inferenceExtension": {"pluginsConfigFile": 7}}, "HELM009"),
        ({"inferenceExtension": {"image": {"hub": "registry.local:5000/llm-d"}}}, "HELM005"),
        ({"inferenceExtension": {"flags": {"secure-serving": False}}}, "HELM009"),
        ({"inferenceExtension": {"flags": {"refresh-metrics-interval": 50}}}, "HELM009"),
        ({"inferenceExtension": {"flags": {"refresh-metrics-interval": "50ms", "v": 4}}}, None),
        ({"inferenceExtension": {"flags": {"kv-cache-usage-percentage-metric": "vllm:gpu_cache"}}}, "HELM009"),
        ({"inferenceExtension": {"flags": {"verbosity": 4}}}, "HELM009"),
        ({"inferenceExtension": {"flags": {"pool-name": "other"}}}, "HELM009"),
        ({"inferenceExtension": {"flags": {"v": "four"}}}, "HELM009"),
        ({"inferenceExtension": {"flags": {"v": [4]}}}, "HELM009"),
    ],
    ids=str,
)
def test_what_a_value_of_the_routers_chart_is_told(values: dict[str, Any], code: str | None) -> None:
    assert codes(values, release="v0.5.1") == ([code] if code else [])


def test_arguments_with_braces_are_not_executed_and_not_questioned() -> None:
    assert codes({}, decode={"args": {"chat-template": "{{ messages }}"}}) == []


def test_a_fix_leads_to_the_field_of_the_spec() -> None:
    assert found({"inferenceExtension": {"replica": 2}}, release="v0.5.1") == [
        ("HELM002", "did you mean replicas? set spec.scheduler.replicas")
    ]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    "path", ["inference-scheduling", "pd-disaggregation", "precise-prefix-cache", "tiered-prefix-cache"]
)
def test_llmdgen_writes_no_value_that_the_chart_does_not_read(path: str, release: str) -> None:
    plan = plan_with(path, release=release)
    values = router_values(plan)
    assert values
    assert [each.route for each in unread(values, read_paths(release, "router"))] == []


ODD: tuple[Any, ...] = (True, 0, 3.5, "x", [], {}, [1], [None], [[]], {"a": "b"}, [{"name": ["a"], "mountPath": {}}])


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_values_of_any_shape_are_judged_and_not_crashed_on(odd: Any) -> None:
    keys = ("env", "volumes", "volumeMounts", "sidecar", "image", "flags", "tolerations", "affinity", "failureMode")
    assert codes({"inferenceExtension": dict.fromkeys(keys, odd)}, path="precise-prefix-cache", release="v0.5.1")
