"""The escape hatch of the spec against what the charts read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ruamel.yaml import YAML

from llmdgen import api
from llmdgen.checks._value_paths import leaves, read_paths, unread
from llmdgen.planning.model import Plan
from llmdgen.rendering.files import planned_values
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


def planned(**spec: Any) -> dict[str, Any]:
    """values/ms.yaml as llmdgen alone writes it."""
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(planned_values(plan_with(**spec), "ms"))
    return values


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
    assert "HELM002" in codes("ms", values)


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
    volumes = [*planned()["decode"]["volumes"], {"name": "a", "emptyDir": {}}]
    assert codes("ms", {"decode": {"volumes": volumes}}) == ["HELM008"]
    assert codes("ms", {"decode": {"volumes": volumes[1:]}}) == ["HELM008", "HELM012"]


@pytest.mark.parametrize(
    "path", ["inference-scheduling", "pd-disaggregation", "precise-prefix-cache", "tiered-prefix-cache"]
)
def test_llmdgen_writes_no_value_that_a_chart_does_not_read(path: str) -> None:
    plan = plan_with(path)
    files = api.render(plan)
    for chart in ("infra", "gaie", "ms"):
        values = YAML(typ="safe", pure=True).load(merged(files[f"values/{chart}.yaml"], {}))
        assert list(leaves(values))
        assert [each.route for each in unread(values, read_paths(plan.release.name, chart))] == []


Change = Callable[[dict[str, Any]], Any]


def server(change: Change, **spec: Any) -> list[str]:
    """The findings of decode's planned container with a change to it, without the warning that it replaces the list."""
    [container] = planned(**spec)["decode"]["containers"]
    change(container)
    return [code for code in codes("ms", {"decode": {"containers": [container]}}, **spec) if code != "HELM008"]


def both(container: dict[str, Any], name: str, amount: str) -> None:
    for side in ("limits", "requests"):
        container["resources"][side][name] = amount


DEPLOYMENTS = (
    {"path": "pd-disaggregation"},
    {"path": "precise-prefix-cache"},
    {
        "path": "wide-ep",
        "model": {"name": "deepseek-ai/DeepSeek-R1-0528"},
        "instanceTypes": ["p5en.48xlarge"],
    },
)


@pytest.mark.parametrize("spec", DEPLOYMENTS, ids=lambda spec: str(spec["path"]))
@pytest.mark.parametrize(
    "change",
    [
        lambda container: None,
        lambda container: container["env"].append({"name": "TEAM", "value": "a"}),
        lambda container: container["ports"].append({"name": "debug", "containerPort": 9999}),
        lambda container: container.update(image="registry.local:5000/mirror/" + container["image"].split("/")[-1]),
        lambda container: container["livenessProbe"].update(periodSeconds=30),
        lambda container: container["resources"]["requests"].pop("cpu"),
        lambda container: container.setdefault("extraConfig", {}).update(terminationMessagePolicy="File"),
    ],
)
def test_the_planned_container_may_be_repeated_with_more_in_it(change: Change, spec: dict[str, Any]) -> None:
    assert server(change, **spec) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda container: both(container, "vpc.amazonaws.com/efa", "8"), "HELM010"),
        (lambda container: container["resources"].pop("limits"), "HELM010"),
        (lambda container: both(container, "memory", "1Ti"), "HELM010"),
        (lambda container: both(container, "nvidia.com/gpu", "7"), "HELM010"),
        (lambda container: both(container, "hugepages-2Mi", "1Ti"), "HELM010"),
        (lambda container: container["args"].append("--max-num-seqs=4"), "HELM010"),
        (lambda container: container["args"].pop(), "HELM010"),
        (lambda container: container["env"].pop(), "HELM010"),
        (lambda container: container["env"].append({"name": "TP_SIZE", "value": "4"}), "HELM010"),
        (lambda container: container["env"][-1].update(value="other"), "HELM010"),
        (lambda container: container["ports"][0].update(containerPort=8001), "HELM010"),
        (lambda container: container["volumeMounts"].pop(), "HELM010"),
        (lambda container: container.pop("extraConfig"), "HELM010"),
        (lambda container: container.update(modelCommand="imageDefault"), "HELM010"),
        (lambda container: container.update(image="ghcr.io/llm-d/llm-d-cuda:v0.5.1"), "HELM011"),
        (lambda container: container["volumeMounts"].append({"name": "data", "mountPath": "/data"}), "HELM012"),
        (lambda container: container.update(name="vLLM"), "HELM009"),
        (lambda container: container.pop("image"), "HELM009"),
        (lambda container: container["env"].append(container["env"][0]), "HELM009"),
        (lambda container: container["ports"].append({"name": "vllm", "containerPort": 9999}), "HELM009"),
        (
            lambda container: container["ports"].append({"name": "a-name-too-long-for-a-port", "containerPort": 1}),
            "HELM009",
        ),
        (lambda container: container["livenessProbe"]["httpGet"].update(port="http"), "HELM009"),
        (lambda container: container["livenessProbe"].update(tcpSocket={"port": "vllm"}), "HELM009"),
        (lambda container: container.update(ports=[], livenessProbe={"tcpSocket": {"port": 8200}}), "HELM009"),
        (lambda container: container["volumeMounts"].append({"name": "shm", "mountPath": "/dev/shm"}), "HELM009"),
        (lambda container: container["extraConfig"]["securityContext"]["capabilities"].update(drop="ALL"), "HELM009"),
    ],
)
def test_a_container_that_leaves_the_plan_or_the_api_server_is_refused(change: Change, code: str) -> None:
    assert code in server(change)


@pytest.mark.parametrize(
    ("chart", "values", "code"),
    [
        ("ms", {"decode": {"extraConfig": None}}, "HELM012"),
        ("ms", {"prefill": {"extraConfig": {"hostNetwork": True}}}, "HELM015"),
        ("ms", {"decode": {"extraConfig": {"affinity": {"podAffinity": None}}}}, "HELM012"),
        ("ms", {"decode": {"extraConfig": {"hostIPC": True, "terminationGracePeriodSeconds": 60}}}, None),
        (
            "ms",
            {"decode": {"terminationGracePeriodSeconds": 60, "extraConfig": {"terminationGracePeriodSeconds": 6}}},
            "HELM009",
        ),
        ("ms", {"decode": {"hostIPC": True}}, "HELM002"),
        ("ms", {"decode": {"extraConfig": {"dnsPolicy": "clusterFirst"}}}, "HELM009"),
        ("ms", {"routing": {"proxy": {"image": "ghcr.io/llm-d/llm-d-routing-sidecar:v0.4.0"}}}, "HELM011"),
        ("gaie", {"inferenceExtension": {"image": {"tag": "v0.4.0"}}}, "HELM011"),
        ("gaie", {"inferenceExtension": {"image": {"hub": "registry.local:5000/llm-d"}}}, None),
        ("gaie", {"inferenceExtension": {"image": {"name": "llm-d-inference-scheduler:v0.6.0"}}}, "HELM009"),
        ("gaie", {"inferenceExtension": {"sidecar": {"enabled": True}}}, "HELM009"),
        ("infra", {"extraDeploy": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}]}, None),
        ("infra", {"extraDeploy": [{"apiVersion": "v1", "kind": "ConfigMap"}]}, "HELM009"),
        ("infra", {"extraDeploy": ["words"]}, "HELM009"),
        ("infra", {"gateway": {"gatewayParameters": {"resources": {"requests": {"cpu": "32"}}}}}, "HELM009"),
        ("infra", {"gateway": {"gatewayParameters": {"resources": {"requests": {"cpu": "8"}}}}}, None),
        ("infra", {"gateway": {"destinationRule": {"enabled": True}}}, "HELM009"),
        ("infra", {"gateway": {"destinationRule": {"enabled": True, "host": "gaie-test-epp.llm-d-test.svc"}}}, None),
        ("infra", {"gateway": {"gatewayParameters": {"enabled": False}}}, "HELM005"),
        ("infra", {"gateway": {"listeners": [{"port": 80, "protocol": "HTTP"}]}}, "HELM009"),
        ("infra", {"gateway": {"listeners": [{"name": "a", "port": 443, "protocol": "HTTPS"}]}}, "HELM009"),
        ("infra", {"gateway": {"listeners": [{"name": "a", "port": 80, "protocol": "HTTP"}]}}, None),
        ("gaie", {"inferenceExtension": {"flags": {"secure-serving": False}}}, "HELM009"),
        ("gaie", {"inferenceExtension": {"flags": {"refresh-metrics-interval": 50}}}, "HELM009"),
        ("gaie", {"inferenceExtension": {"flags": {"refresh-metrics-interval": "50ms", "v": 4}}}, None),
        ("gaie", {"inferenceExtension": {"flags": {"kv-cache-usage-percentage-metric": "vllm:gpu_cache"}}}, "HELM009"),
        ("gaie", {"inferenceExtension": {"env": [{"name": "NAMESPACE", "value": "a"}]}}, "HELM012"),
        ("gaie", {"inferenceExtension": {"volumeMounts": [{"name": "a", "mountPath": "/a"}]}}, "HELM012"),
        ("gaie", {"inferenceExtension": {"latencyPredictor": {"enabled": True}}}, "HELM009"),
        ("ms", {"serviceAccountOverride": "model-reader"}, "HELM014"),
        ("ms", {"decode": {"extraConfig": {"affinity": {"podsAffinity": {}}}}}, "HELM009"),
        ("ms", {"tracing": {"enabled": True}}, "HELM005"),
        ("ms", {"decode": {"replica": 2}}, "HELM002"),
        ("infra", {"gateway": {"gatewayParameters": {"logLevel": "trace"}}}, "HELM013"),
        ("infra", {"gateway": {"gatewayParameters": {"logLevel": "debug"}}}, None),
        ("infra", {"gateway": {"listeners": []}}, "HELM013"),
    ],
)
def test_values_are_held_against_schema_and_readers(chart: str, values: dict[str, Any], code: str | None) -> None:
    assert [each for each in codes(chart, values) if each != "HELM008"] == ([code] if code else [])


def test_a_tokenizer_that_the_scheduler_asks_stays() -> None:
    for sidecar in (None, {"enabled": False}, {"env": [{"name": "A", "value": "b"}]}):
        values = {"inferenceExtension": {"sidecar": sidecar}}
        assert "HELM012" in codes("gaie", values, path="precise-prefix-cache")


def test_the_route_of_ones_own_leads_from_the_gateway_to_the_pool() -> None:
    [route] = planned()["extraObjects"]
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"}, "spec": {}}
    assert codes("ms", {"extraObjects": [route, budget]}) == []
    route["spec"]["parentRefs"][0]["name"] = "another"
    assert codes("ms", {"extraObjects": [route, budget]}) == ["HELM005"]


def test_a_fix_leads_to_the_field_of_the_spec() -> None:
    assert found(values={"ms": {"decode": {"replica": 2}}}) == [
        ("HELM002", "did you mean replicas? set spec.decode.replicas")
    ]


ODD: tuple[Any, ...] = (True, 0, 3.5, "x", [], {}, [1], [None], [[]], {"a": "b"}, [{"name": ["a"], "mountPath": {}}])


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_values_of_any_shape_are_judged_and_not_crashed_on(odd: Any) -> None:
    container = dict.fromkeys(planned()["decode"]["containers"][0], odd)
    route = {"apiVersion": "v1", "kind": "HTTPRoute", "metadata": odd, "spec": {"parentRefs": odd, "rules": odd}}
    role = {"containers": [container], "volumes": odd, "initContainers": odd, "extraConfig": {"affinity": odd}}
    assert codes("ms", {"decode": role, "extraObjects": [route, odd]})
    extension = {"env": odd, "volumes": odd, "volumeMounts": odd, "sidecar": odd, "image": odd, "flags": odd}
    codes("gaie", {"inferenceExtension": extension}, path="precise-prefix-cache")
    gateway = {"listeners": [odd], "gatewayParameters": {"resources": {"limits": odd, "requests": odd}}, "service": odd}
    assert codes("infra", {"gateway": gateway, "extraDeploy": odd})


@pytest.mark.parametrize(("memory", "expected"), [("4Gi", ["HELM009"]), ("12Gi", [])])
def test_limits_of_the_scheduler_hold_the_requests_of_its_chart(memory: str, expected: list[str]) -> None:
    values = {"inferenceExtension": {"resources": {"limits": {"memory": memory}}}}
    assert codes("gaie", values, release="v0.6.0") == expected
