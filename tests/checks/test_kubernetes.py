"""Names, quantities, node selectors, tolerations and references, as Kubernetes takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmdgen import api
from llmdgen.spec.names import LONGEST_NAME
from tests.checks.conftest import plan_of


def codes(
    path: str = "pd-disaggregation", *, name: str = "test", model: str = "Qwen/Qwen3-32B", **spec: Any
) -> list[str]:
    whole = {"path": path, "instanceTypes": ["p5.48xlarge"], "model": {"name": model}, **spec}
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: {name}}}
spec: {json.dumps(whole)}
"""
    found = api.check(plan_of(text))
    return [each.finding.code for each in found if each.finding.code.startswith("K8S")]


def test_names_of_multi_node_groups_leave_room_for_the_revision_hash() -> None:
    longest = f"{'a' * LONGEST_NAME}-prefill-9999"
    assert len(f"{longest}-0123456789") <= 63, "the label controller-revision-hash of a LeaderWorkerSet's pods"


@pytest.mark.parametrize(
    "resources",
    [{"memory": "64"}, {"cpu": "0"}, {"shm": "16M"}],
)
def test_a_quantity_that_cannot_be_meant_is_an_error(resources: dict[str, str]) -> None:
    assert codes(decode={"resources": resources}) == ["K8S002"]


@pytest.mark.parametrize("size", ["80", "80M"])
def test_a_model_volume_that_cannot_be_meant_is_an_error(size: str) -> None:
    model = "{name: Qwen/Qwen3-32B, size: " + f'"{size}"' + "}"
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: test}}
spec: {{path: inference-scheduling, instanceTypes: [p5.48xlarge], model: {model}}}
"""
    assert "K8S002" in [each.finding.code for each in api.check(plan_of(text))]


@pytest.mark.parametrize("resources", [{"memory": "64Gi", "cpu": "1500m", "shm": "16Gi"}, {"cpu": "0.5"}])
def test_a_usual_quantity_is_not_questioned(resources: dict[str, str]) -> None:
    assert codes(decode={"resources": resources}) == []


@pytest.mark.parametrize(
    "selector",
    [
        {"node.kubernetes.io/instance-type": "p5.48xlarge"},
        {"sagemaker.amazonaws.com/node-health-status": "Unschedulable"},
        {"kubernetes.io/arch": "arm64"},
    ],
)
def test_a_selector_that_contradicts_the_plan_is_an_error(selector: dict[str, str]) -> None:
    assert codes(platform="hyperpod", cluster={"zone": "us-east-1a", "nodeSelector": selector}) == ["K8S003"]


def test_a_selector_that_adds_to_the_plan_is_not() -> None:
    group = {"sagemaker.amazonaws.com/instance-group-name": "inference", "kubernetes.io/arch": "amd64"}
    assert codes(platform="hyperpod", cluster={"nodeSelector": group}) == []


def test_unhealthy_nodes_are_not_tolerated() -> None:
    health = {"key": "sagemaker.amazonaws.com/node-health-status", "operator": "Exists"}
    assert codes(platform="hyperpod", cluster={"tolerations": [health]}) == ["K8S004"]
    assert codes(platform="hyperpod", cluster={"tolerations": [{"operator": "Exists"}]}) == ["K8S004"]


def test_a_toleration_that_is_not_what_it_seems_is_worth_a_warning() -> None:
    assert codes(cluster={"tolerations": [{"key": "dedicated"}]}) == ["K8S008"]
    assert codes(cluster={"tolerations": [{"operator": "Exists"}]}) == ["K8S008"]
    assert codes(cluster={"tolerations": [{"key": "dedicated", "operator": "Exists"}]}) == []


def test_a_reference_to_a_variable_that_is_not_defined_before_it_is_worth_a_warning() -> None:
    assert codes(decode={"env": {"A": "$(NOWHERE)"}}) == ["K8S005"]
    assert codes(decode={"env": {"A": "$(B)", "B": "1"}}) == ["K8S005"]
    assert codes(decode={"env": {"B": "1", "A": "$(B)"}}) == []
    assert codes(decode={"env": {"A": "$$(NOWHERE)"}}) == []
    assert codes(decode={"args": {"chat-template": "$(NOWHERE)/chat.jinja"}}) == ["K8S005"]
    assert codes(decode={"args": {"chat-template": "$(HF_HOME)/chat.jinja"}}) == []
    assert codes(decode={"args": {"chat-template": "$$(NOWHERE)/chat.jinja"}}) == []
    assert codes(decode={"args": {"served-path": "$(HF_HOME)"}}) == []


@pytest.mark.parametrize("path", ["/etc/kv", "/var/lib/kubelet/kv", "/tmp/kv", "/mnt", "//etc//kv"])
def test_a_cache_directory_of_the_nodes_system_is_an_error(path: str) -> None:
    assert codes("tiered-prefix-cache", cache={"disk": {"path": path, "size": "1Ti"}}) == ["K8S006"]


@pytest.mark.parametrize("path", ["/mnt/k8s-disks/0/kv", "/data/kv", "/var/kv"])
def test_a_cache_directory_of_its_own_is_not(path: str) -> None:
    assert codes("tiered-prefix-cache", cache={"disk": {"path": path, "size": "1Ti"}}) == []


@pytest.mark.parametrize(
    ("label", "value", "fits"),
    [
        ("karpenter.k8s.aws/instance-gpu-name", "a100", False),
        ("karpenter.k8s.aws/instance-gpu-name", "h100", True),
        ("karpenter.k8s.aws/instance-gpu-name", "something-new", True),
        ("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-40GB", False),
        ("nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3", True),
        ("nvidia.com/gpu.count", "4", False),
        ("nvidia.com/gpu.count", "8", True),
        ("nvidia.com/gpu.present", "true", True),
        ("eks.amazonaws.com/instance-gpu-count", "16", False),
        ("karpenter.k8s.aws/instance-size", "24xlarge", False),
        ("karpenter.k8s.aws/instance-category", "p", True),
        ("topology.kubernetes.io/region", "us-west-2", False),
        ("topology.kubernetes.io/region", "us-east-1", True),
    ],
)
def test_labels_of_the_hardware_are_those_of_the_instance_type(label: str, value: str, fits: bool) -> None:
    assert codes(cluster={"zone": "us-east-1a", "nodeSelector": {label: value}}) == ([] if fits else ["K8S003"])
