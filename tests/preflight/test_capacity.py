"""Questions about nodes: enough, what they offer, plugins, room and zone."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen.planning.model import Plan
from tests.preflight.api_server import DAEMON_SETS, NODES, PODS, Api, able, node, pod
from tests.preflight.conftest import Ask
from tests.preflight.plans import plan_of
from tests.specs import GPT_OSS

P5, HEALTH = "p5.48xlarge", "sagemaker.amazonaws.com/node-health-status"


@pytest.fixture
def one_node() -> Plan:
    """4 prefill pods of 1 GPU and a decode pod of 4: one node, full."""
    plan = plan_of("pd-disaggregation", GPT_OSS, prefill={"parallelism": {"tensor": 1}})
    assert [pool.nodes for pool in plan.pools] == [1]
    return plan


@pytest.fixture
def two_nodes() -> Plan:
    """2 decode pods more."""
    plan = plan_of("pd-disaggregation", GPT_OSS, prefill={"parallelism": {"tensor": 1}}, decode={"replicas": 3})
    assert [pool.nodes for pool in plan.pools] == [2]
    return plan


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {code: answers[0].verdict for code, answers in found.items() if "PRE110" <= code < "PRE130"}


def wrong(found: dict[str, Any]) -> dict[str, str]:
    return {code: answers[0].found for code, answers in found.items() if answers[0].is_wrong}


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        ({"spec": {"unschedulable": True}}, "cordoned"),
        ({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, "not Ready"),
        ({"spec": {"taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]}}, "taint team:NoSchedule"),
    ],
)
def test_a_node_that_pods_cannot_land_on_does_not_count(
    ask: Ask, two_nodes: Plan, change: dict[str, Any], obstacle: str
) -> None:
    api = able(two_nodes)
    for section, values in change.items():
        api.answers[NODES][1][section] |= values
    (answer,) = ask(two_nodes, api)["PRE110"]
    assert answer.verdict == "short"
    assert answer.found == f"1 of 2 usable (node-1: {obstacle})"


def test_a_taint_that_the_spec_tolerates_is_no_obstacle(ask: Ask) -> None:
    tolerated = {"tolerations": [{"key": "team", "operator": "Equal", "value": "a"}]}
    plan = plan_of("pd-disaggregation", GPT_OSS, cluster=tolerated)
    api = able(plan)
    api.answers[NODES][0]["spec"]["taints"] += [
        {"key": "team", "value": "a", "effect": "NoExecute"},
        {"key": "soft", "effect": "PreferNoSchedule"},
    ]
    assert verdicts(ask(plan, api))["PRE110"] == "ok"


def test_hyperpod_counts_ml_nodes_that_are_healthy(ask: Ask) -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, platform="hyperpod", prefill={"parallelism": {"tensor": 1}})
    api = able(plan)
    assert api.answers[NODES][0]["metadata"]["labels"][HEALTH] == "Schedulable"
    assert verdicts(ask(plan, api))["PRE110"] == "ok"
    api.answers[NODES][0]["metadata"]["labels"][HEALTH] = "UnschedulablePendingReboot"
    assert wrong(ask(plan, api)) == {
        "PRE110": f"0 of 1 usable (node-0: {HEALTH} is UnschedulablePendingReboot)",
    }


def test_nodes_of_the_other_platform_are_pointed_out(ask: Ask, one_node: Plan) -> None:
    api = able(one_node)
    api.answers[NODES] = [node("node-0", f"ml.{P5}")]
    (answer,) = ask(one_node, api)["PRE110"]
    assert (answer.verdict, answer.fix) == ("missing", f"nodes of ml.{P5} are there: set platform: hyperpod")


def test_only_nodes_of_the_specs_zone_count(ask: Ask) -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, cluster={"zone": "us-east-1b"})
    api = able(plan)
    found = ask(plan, api)
    assert verdicts(found)["PRE110"] == "ok"
    assert "PRE116" not in found
    api.answers[NODES] = [node("node-0", P5)]
    assert list(wrong(ask(plan, api))) == ["PRE110"]


@pytest.mark.parametrize(
    ("code", "resource", "offered", "found"),
    [
        ("PRE111", "nvidia.com/gpu", "7", "7"),
        ("PRE112", "vpc.amazonaws.com/efa", "16", "16"),
        ("PRE113", "cpu", "4500m", "4500m"),
        ("PRE114", "memory", "1048576Ki", "1Gi"),
        ("PRE118", "ephemeral-storage", "85899345920", "80Gi"),
    ],
)
def test_a_node_that_offers_less_than_planned_is_short(
    ask: Ask, one_node: Plan, code: str, resource: str, offered: str, found: str
) -> None:
    api = able(one_node)
    api.answers[NODES][0]["status"]["allocatable"][resource] = offered
    says = wrong(ask(one_node, api))
    assert says[code] == found
    assert set(says) == {code, "PRE115", "PRE116"}


def test_a_spare_node_that_offers_less_does_no_harm(ask: Ask, one_node: Plan) -> None:
    api = able(one_node)
    api.answers[NODES].append(node("node-1", P5, efa=0))
    api.answers[NODES][1]["status"]["allocatable"]["nvidia.com/gpu"] = "7"
    found = ask(one_node, api)
    assert verdicts(found)["PRE111"] == verdicts(found)["PRE115"] == "ok"
    assert found["PRE111"][0].found == "7 to 8"


def test_an_architecture_without_an_image_is_missing(ask: Ask, one_node: Plan) -> None:
    api = able(one_node)
    api.answers[NODES][0]["status"]["nodeInfo"]["architecture"] = "arm64"
    assert wrong(ask(one_node, api)) == {"PRE117": "arm64"}


def daemon_set(name: str, image: str) -> dict[str, Any]:
    containers = [{"name": "plugin", "image": image}]
    return {
        "metadata": {"namespace": "kube-system", "name": name},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


@pytest.mark.parametrize(
    ("daemon_sets", "found"),
    [
        ([], "none on node-0; no DaemonSet of aws-efa-k8s-device-plugin"),
        (403, "none on node-0"),
        (
            [daemon_set("efa", "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/aws-efa-k8s-device-plugin:v0.5.20")],
            "none on node-0; DaemonSet kube-system/efa is there",
        ),
        (
            [daemon_set("gpu", "nvcr.io/nvidia/k8s-device-plugin:v0.20.0")],
            "none on node-0; no DaemonSet of aws-efa-k8s-device-plugin",
        ),
    ],
)
def test_nodes_without_efa_say_which_plugin_should_have_made_it(
    ask: Ask, one_node: Plan, daemon_sets: Any, found: str
) -> None:
    api = able(one_node)
    del api.answers[NODES][0]["status"]["allocatable"]["vpc.amazonaws.com/efa"]
    api.answers[DAEMON_SETS] = daemon_sets
    assert wrong(ask(one_node, api))["PRE121"] == found


def test_nodes_without_gpus_name_the_daemon_set_that_should_reach_them(ask: Ask, one_node: Plan) -> None:
    api = able(one_node)
    api.answers[NODES][0]["status"]["allocatable"]["nvidia.com/gpu"] = "0"
    api.answers[DAEMON_SETS] = [daemon_set("gpu", "nvcr.io/nvidia/k8s-device-plugin@sha256:0123")]
    (answer,) = ask(one_node, api)["PRE120"]
    assert answer.verdict == "missing"
    assert "DaemonSet kube-system/gpu let it on these nodes" in answer.fix


def test_what_running_pods_request_is_taken(ask: Ask, one_node: Plan) -> None:
    api = able(one_node)
    api.answers[PODS] = [pod("busy", "node-0")]
    found = ask(one_node, api)
    assert found["PRE115"][0].verdict == "short"
    assert found["PRE115"][0].found.endswith("4 GPUs free")
    assert found["PRE110"][0].verdict == "ok"


@pytest.mark.parametrize(
    "harmless",
    [
        pod("busy", "another-node"),
        pod("demo-decode-6d9-x", "node-0", namespace="llm-d-demo"),
        pod("done", "node-0") | {"status": {"phase": "Succeeded"}},
        pod("free", "node-0", containers=[{"name": "no-requests"}]),
    ],
)
def test_pods_elsewhere_ended_or_of_the_deployment_itself_take_nothing(
    ask: Ask, one_node: Plan, harmless: dict[str, Any]
) -> None:
    api = able(one_node)
    api.answers[PODS] = [harmless]
    assert wrong(ask(one_node, api)) == {}


def test_a_sidecar_counts_beside_its_pods_containers(ask: Ask, one_node: Plan) -> None:
    api = able(one_node)
    gpu = {"resources": {"requests": {"nvidia.com/gpu": "1"}}}
    sidecars = [{"name": "s", "restartPolicy": "Always", **gpu}, {"name": "i", **gpu}]
    api.answers[PODS] = [pod("busy", "node-0", containers=[{"name": "c", **gpu}], initContainers=sidecars)]
    assert ask(one_node, api)["PRE115"][0].found.endswith("6 GPUs free")


def test_enough_nodes_in_two_zones_are_not_enough_in_one(ask: Ask, two_nodes: Plan) -> None:
    api = able(two_nodes)
    api.answers[NODES] = [node("node-0", P5, "us-east-1a"), node("node-1", P5, "us-east-1b")]
    found = ask(two_nodes, api)
    assert list(wrong(found)) == ["PRE116"]
    assert found["PRE116"][0].found.startswith("us-east-1a ")


def test_nodes_without_a_zone_are_in_none(ask: Ask, two_nodes: Plan) -> None:
    api = able(two_nodes)
    for each in api.answers[NODES]:
        del each["metadata"]["labels"]["topology.kubernetes.io/zone"]
    found = ask(two_nodes, api)
    assert list(wrong(found)) == ["PRE116"]
    assert found["PRE116"][0].found.startswith("no zone label ")


def test_requests_of_a_pod_as_a_whole_count_in_place_of_its_containers(ask: Ask, one_node: Plan) -> None:
    api = able(one_node)
    small = {"name": "c", "resources": {"requests": {"memory": "1Gi"}}}
    whole = {"requests": {"memory": "2050000Mi"}}
    api.answers[PODS] = [pod("busy", "node-0", containers=[small])]
    assert wrong(ask(one_node, api)) == {}
    api.answers[PODS] = [pod("busy", "node-0", containers=[small], resources=whole)]
    assert list(wrong(ask(one_node, api))) == ["PRE115", "PRE116"]


def test_pods_that_exchange_nothing_may_spread_over_zones(ask: Ask) -> None:
    plan = plan_of("inference-scheduling")
    api = able(plan)
    api.answers[NODES][0]["metadata"]["labels"]["topology.kubernetes.io/zone"] = "us-east-1b"
    found = ask(plan, api)
    assert wrong(found) == {}
    assert not {"PRE112", "PRE116", "PRE121"} & found.keys()


def test_long_lists_are_read_page_by_page(ask: Ask, one_node: Plan) -> None:
    api: Api = able(one_node)
    api.page = 2
    api.answers[NODES] = [*[node(f"cpu-{number}", "m7i.large") for number in range(4)], *api.answers[NODES]]
    assert wrong(ask(one_node, api)) == {}
    assert api.asked.count(("GET", NODES)) == 3


def test_forbidden_lists_make_answers_unknown_and_nothing_wrong(ask: Ask, one_node: Plan) -> None:
    api = able(one_node)
    api.answers[PODS] = 403
    refused = {code for code, answers in ask(one_node, api).items() if answers[0].verdict == "unknown"}
    assert refused == {"PRE115", "PRE116"}
    api.answers[NODES] = 403
    found = ask(one_node, api)
    assert verdicts(found) == {"PRE110": "unknown"}
    assert found["PRE110"][0].fix == "ask as a user who may list nodes"
