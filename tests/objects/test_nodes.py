"""The nodes of a simulated cluster: as many as planned, of the planned types, with room for the planned pods."""

from __future__ import annotations

import msgspec
import pytest

from llmdgen.facts import catalogue
from llmdgen.kube.node import repels
from llmdgen.kube.room import placed, total
from llmdgen.objects.nodes import ZONE, nodes
from llmdgen.planning.model import Plan
from llmdgen.preflight.cluster import Thing
from llmdgen.preflight.node import live_node
from tests.specs import DEEPSEEK, GPT_OSS, plan_of

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def pd(instance: str = "p5.48xlarge", **cluster: object) -> Plan:
    return plan_of("pd-disaggregation", GPT_OSS, instance, cluster=cluster)


@pytest.mark.parametrize(
    "plan",
    [
        pd(),
        plan_of("wide-ep", DEEPSEEK, "p5en.48xlarge"),
        plan_of("pd-disaggregation", GPT_OSS, "p5.48xlarge", decode={"instanceType": "p5en.48xlarge"}),
        plan_of("inference-scheduling", GPT_OSS, "g6e.48xlarge", platform="hyperpod"),
        plan_of("inference-scheduling", GPT_OSS, "p5.48xlarge", release="v0.9.0"),
    ],
    ids=["pd", "wide-ep", "two types", "hyperpod", "pods with a download"],
)
def test_the_pods_of_a_plan_find_room_on_its_nodes_and_not_on_one_fewer(plan: Plan) -> None:
    made = list(nodes([plan]))
    assert len(made) == sum(pool.nodes for pool in plan.pools)
    for pool in plan.pools:
        roles = [role for role in plan.roles if role.name in pool.roles]
        things = [msgspec.convert({**node, "status": {**node["status"], **READY}}, Thing) for node in made]
        live = [live_node(each, roles[0].node_selector, plan.tolerations) for each in things]
        usable = [node for node in live if not node.obstacle]
        assert len(usable) == pool.nodes
        assert total(node.offers for node in usable).gpus == pool.gpus
        assert total(node.offers for node in usable).efa == pool.efa
        pods = [(role.need, role.pods) for role in roles]
        assert placed(pods, [node.offers for node in usable]) == sum(count for _, count in pods)
        assert placed(pods, [node.offers for node in usable[1:]]) < sum(count for _, count in pods)


def test_a_node_has_what_the_spec_says_of_the_nodes() -> None:
    tolerations = [{"key": "team", "operator": "Equal", "value": "serving"}]
    plan = pd(zone="us-east-1a", nodeSelector={"team": "serving"}, efaPerNode=16, tolerations=tolerations)
    node = next(nodes([plan]))
    assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == "us-east-1a"
    assert node["metadata"]["labels"]["team"] == "serving"
    assert node["status"]["allocatable"]["vpc.amazonaws.com/efa"] == "16"
    assert {"key": "team", "value": "serving", "effect": "NoSchedule"} in node["spec"]["taints"]
    assert not any(repels(taint, plan.tolerations) for taint in node["spec"]["taints"])


def test_taints_stand_for_tolerations_by_which_pods_stay() -> None:
    leaving = {"key": "drain", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
    asking = {"key": "quiet", "operator": "Exists", "effect": "PreferNoSchedule"}
    any_key = {"operator": "Exists"}
    node = next(nodes([pd(tolerations=[leaving, asking, any_key])]))
    assert [each["key"] for each in node["spec"]["taints"]] == ["nvidia.com/gpu"]


def test_nodes_of_several_plans_have_names_of_their_own() -> None:
    plans = [pd(), plan_of("inference-scheduling", GPT_OSS), pd()]
    names = [node["metadata"]["name"] for node in nodes(plans)]
    assert len(names) == len(set(names)) > 2
    assert all(len(name) <= 63 for name in names)


@pytest.mark.parametrize("instance", ["p5.48xlarge", "g6e.48xlarge"])
def test_what_a_node_offers_is_what_the_catalogue_says(instance: str) -> None:
    facts = catalogue.instance(instance)
    node = next(nodes([plan_of("inference-scheduling", GPT_OSS, instance)]))
    offers = node["status"]["allocatable"]
    assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == ZONE
    assert offers["nvidia.com/gpu"] == str(facts.gpu.count)
    assert offers["vpc.amazonaws.com/efa"] == str(facts.efa.interfaces)
    assert facts.allocatable is not None
    assert offers["cpu"] == f"{facts.allocatable.cpu_millis}m"
    assert offers["memory"] == f"{facts.allocatable.memory_mib}Mi"
    assert node["status"]["nodeInfo"]["architecture"] == facts.architecture
