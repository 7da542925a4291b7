"""Questions about kinds, GatewayClass, namespace, Secret and claims."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen.facts.catalogue import release_names
from llmdgen.preflight.objects import kinds
from tests import specs
from tests.preflight.api_server import CLASSES, CRDS, NAMESPACES, PRIORITY_CLASSES, STORAGE_CLASSES, able, crd
from tests.preflight.conftest import Ask
from tests.preflight.plans import plan_of
from tests.specs import DEEPSEEK, GPT_OSS

WITH_TOKEN: dict[str, Any] = {"model": {"authSecretName": "token"}}
SECRET = f"{NAMESPACES}/llm-d-demo/secrets/token"


def test_a_cluster_that_has_everything_is_ok_on_every_question(ask: Ask) -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, gateway={"loadBalancer": {}}, **WITH_TOKEN)
    answers = [each for found in ask(plan, able(plan)).values() for each in found]
    assert {each.verdict for each in answers} == {"ok"}
    assert {each.fix for each in answers} == {""}
    assert len({each.code for each in answers}) == 16


def test_nothing_but_get_is_sent_and_no_value_of_a_secret_is_answered(ask: Ask) -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, **WITH_TOKEN)
    api = able(plan)
    api.answers[SECRET] = {"data": {"HF_TOKEN": "", "other": "aGZfc2VjcmV0"}}
    (answer,) = ask(plan, api)["PRE131"]
    assert "aGZfc2VjcmV0" not in repr(answer)
    assert answer.found == "an empty HF_TOKEN"
    assert {method for method, _ in api.asked} == {"GET"}


@pytest.mark.parametrize(
    ("secret", "found", "verdict"),
    [
        (404, "no such Secret", "missing"),
        (403, "forbidden", "unknown"),
        ({"data": {"token": "eA=="}}, "keys: token", "missing"),
        ({}, "keys: none", "missing"),
    ],
)
def test_the_secret_must_hold_the_token_under_its_key(ask: Ask, secret: Any, found: str, verdict: str) -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, **WITH_TOKEN)
    api = able(plan)
    api.answers[SECRET] = secret
    (answer,) = ask(plan, api)["PRE131"]
    assert (answer.found, answer.verdict) == (found, verdict)
    assert answer.fix


def test_a_model_without_a_secret_asks_for_none(ask: Ask) -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS)
    assert "PRE131" not in ask(plan, able(plan))


@pytest.mark.parametrize(
    ("secret", "found", "verdict"),
    [
        ({"data": {".dockerconfigjson": "e30="}}, "key .dockerconfigjson", "ok"),
        (404, "no such Secret", "missing"),
        (403, "forbidden", "unknown"),
        ({"data": {"password": "eA=="}}, "keys: password", "missing"),
    ],
)
def test_a_secret_to_pull_images_with_must_be_there(ask: Ask, secret: Any, found: str, verdict: str) -> None:
    plan = plan_of("inference-scheduling", images={"pullSecrets": ["ecr"], "registry": "registry.example.com/llm-d"})
    api = able(plan)
    api.answers[f"{NAMESPACES}/llm-d-demo/secrets/ecr"] = secret
    (answer,) = ask(plan, api)["PRE134"]
    assert (answer.found, answer.verdict) == (found, verdict)
    assert "PRE134" not in ask(plan_of("inference-scheduling"), api)


def test_a_kind_must_be_served_in_the_version_that_the_charts_write(ask: Ask) -> None:
    plan = plan_of("inference-scheduling")
    api = able(plan)
    name = "inferencepools.inference.networking.k8s.io"
    api.answers[f"{CRDS}/{name}"] = crd(name, "v1alpha2")
    api.answers[f"{CRDS}/httproutes.gateway.networking.k8s.io"] = 404
    wrong = {each.what: each.found for each in ask(plan, api)["PRE101"] if each.verdict == "missing"}
    assert wrong == {f"CRD {name}": "v1alpha2 served", "CRD httproutes.gateway.networking.k8s.io": "no such CRD"}


def test_a_kind_that_is_not_established_is_missing(ask: Ask) -> None:
    plan = plan_of("inference-scheduling")
    api = able(plan)
    name = "gateways.gateway.networking.k8s.io"
    api.answers[f"{CRDS}/{name}"]["status"]["conditions"][0]["status"] = "False"
    assert [each.found for each in ask(plan, api)["PRE101"] if each.is_wrong] == ["not established"]


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("istio", "destinationrules.networking.istio.io"),
        ("kgateway", "gatewayparameters.gateway.kgateway.dev"),
        ("agentgateway", "agentgatewayparameters.agentgateway.dev"),
    ],
)
def test_each_gateway_provider_needs_its_own_kinds(ask: Ask, provider: str, kind: str) -> None:
    plan = plan_of("inference-scheduling", gateway={"provider": provider}, release="v0.5.1")
    api = able(plan)
    api.answers[f"{CRDS}/{kind}"] = 404
    assert [each.what for each in ask(plan, api)["PRE101"] if each.is_wrong] == [f"CRD {kind}"]


def test_several_nodes_a_replica_need_leader_worker_sets(ask: Ask) -> None:
    name = "CRD leaderworkersets.leaderworkerset.x-k8s.io"
    wide, narrow = plan_of("wide-ep", DEEPSEEK), plan_of("inference-scheduling")
    assert name in [each.what for each in ask(wide, able(wide))["PRE101"]]
    assert name not in [each.what for each in ask(narrow, able(narrow))["PRE101"]]


@pytest.mark.parametrize(
    ("answer", "found", "verdict"),
    [
        (404, "no such GatewayClass", "missing"),
        (403, "forbidden", "unknown"),
        ({"status": {"conditions": [{"type": "Accepted", "status": "Unknown"}]}}, "not Accepted", "missing"),
        ({}, "not Accepted", "missing"),
    ],
)
def test_the_gateway_class_must_be_accepted(ask: Ask, answer: Any, found: str, verdict: str) -> None:
    plan = plan_of("inference-scheduling")
    api = able(plan)
    api.answers[f"{CLASSES}/istio"] = answer
    (row,) = ask(plan, api)["PRE102"]
    assert (row.found, row.verdict) == (found, verdict)


def test_a_load_balancer_needs_the_controller_and_a_cluster_ip_does_not(ask: Ask) -> None:
    balanced = plan_of("inference-scheduling", gateway={"loadBalancer": {}})
    api = able(balanced)
    api.answers[f"{CRDS}/targetgroupbindings.elbv2.k8s.aws"] = 404
    assert [each.verdict for each in ask(balanced, api)["PRE103"]] == ["missing", "ok"]
    assert "PRE103" not in ask(plan_of("inference-scheduling"), api)


@pytest.mark.parametrize(
    ("answer", "verdict"), [(404, "ok"), (403, "unknown"), ({"status": {"phase": "Terminating"}}, "missing")]
)
def test_a_namespace_may_be_absent_but_not_on_its_way_out(ask: Ask, answer: Any, verdict: str) -> None:
    plan = plan_of("inference-scheduling")
    api = able(plan)
    api.answers[f"{NAMESPACES}/llm-d-demo"] = answer
    assert [each.verdict for each in ask(plan, api)["PRE130"]] == [verdict]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (404, "missing"),
        (403, "unknown"),
        ({"spec": {}, "status": {"phase": "Pending"}}, "missing"),
        ({"spec": {}, "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"]}}, "short"),
        ({"spec": {}, "status": {"phase": "Bound", "accessModes": ["ReadOnlyMany"]}}, "ok"),
    ],
)
def test_a_models_claim_must_be_bound_and_mount_on_all_its_nodes(ask: Ask, answer: Any, verdict: str) -> None:
    plan = plan_of("inference-scheduling", model={"uri": "pvc://weights/qwen"}, decode={"replicas": 8})
    assert sum(pool.nodes for pool in plan.pools) > 1
    api = able(plan)
    api.answers[f"{NAMESPACES}/llm-d-demo/persistentvolumeclaims/weights"] = answer
    assert [each.verdict for each in ask(plan, api)["PRE132"]] == [verdict]


@pytest.mark.parametrize(
    ("storage", "verdict", "says"),
    [
        ({"volumeBindingMode": "WaitForFirstConsumer"}, "ok", "bound with its first pod"),
        ({"volumeBindingMode": "Immediate"}, "missing", "Pending, ReadWriteMany"),
        (404, "missing", "no StorageClass fsx"),
        (403, "unknown", "forbidden"),
    ],
)
def test_a_claim_may_wait_for_its_first_pod(ask: Ask, storage: Any, verdict: str, says: str) -> None:
    plan = plan_of("inference-scheduling", model={"uri": "pvc://weights/qwen"}, decode={"replicas": 8})
    api = able(plan)
    pending = {
        "spec": {"storageClassName": "fsx", "accessModes": ["ReadWriteMany"]},
        "status": {"phase": "Pending"},
    }
    api.answers[f"{NAMESPACES}/llm-d-demo/persistentvolumeclaims/weights"] = pending
    api.answers[f"{STORAGE_CLASSES}/fsx"] = storage
    (answer,) = ask(plan, api)["PRE132"]
    assert answer.verdict == verdict
    assert says in answer.found
    assert verdict != "unknown" or "may get storageclasses" in answer.fix


def test_a_claim_or_kind_that_is_being_deleted_is_missing(ask: Ask) -> None:
    plan = plan_of("inference-scheduling", model={"uri": "pvc://weights/qwen"})
    api = able(plan)
    leaving = {"metadata": {"deletionTimestamp": "2026-11-25T00:00:00Z"}}
    api.answers[f"{NAMESPACES}/llm-d-demo/persistentvolumeclaims/weights"] |= leaving
    api.answers[f"{CRDS}/inferencepools.inference.networking.k8s.io"] |= leaving
    found = ask(plan, api)
    assert [each.verdict for each in found["PRE132"]] == ["missing"]
    assert [each.found for each in found["PRE101"] if each.is_wrong] == ["being deleted"]


@pytest.mark.parametrize(
    ("path", "level", "found"),
    [
        ("pd-disaggregation", None, None),
        ("pd-disaggregation", "privileged", "privileged"),
        ("pd-disaggregation", "baseline", "baseline, which refuses the capability IPC_LOCK"),
        (
            "pd-disaggregation",
            "restricted",
            "restricted, which refuses the capability IPC_LOCK, root, pods without a seccomp profile",
        ),
        ("inference-scheduling", "baseline", "baseline"),
        ("inference-scheduling", "restricted", "restricted, which refuses pods without a seccomp profile"),
    ],
)
def test_a_namespaces_pod_security_must_take_the_model_servers(
    ask: Ask, path: str, level: str | None, found: str | None
) -> None:
    plan = plan_of(path)
    api = able(plan)
    labels = {"pod-security.kubernetes.io/enforce": level} if level else {}
    api.answers[f"{NAMESPACES}/llm-d-demo"] = {"metadata": {"labels": labels}, "status": {"phase": "Active"}}
    answers = ask(plan, api).get("PRE133", [])
    assert [each.found for each in answers] == ([found] if found else [])
    assert all((each.verdict == "ok") == ("refuses" not in each.found) for each in answers)


def test_a_storage_tier_asks_for_its_claim(ask: Ask) -> None:
    plan = plan_of("tiered-prefix-cache", cache={"cpu": {}, "storage": {"claim": "kv", "size": "1Ti"}})
    (answer,) = ask(plan, able(plan))["PRE132"]
    assert (answer.what, answer.verdict) == ("PersistentVolumeClaim llm-d-demo/kv", "ok")


def test_a_storage_tier_that_pods_of_many_nodes_cannot_write_is_short(ask: Ask) -> None:
    plan = plan_of("tiered-prefix-cache", cache={"cpu": {}, "storage": {"claim": "kv"}}, decode={"replicas": 8})
    api = able(plan)
    bound = {"phase": "Bound", "accessModes": ["ReadOnlyMany"]}
    api.answers[f"{NAMESPACES}/llm-d-demo/persistentvolumeclaims/kv"] = {"spec": {}, "status": bound}
    (answer,) = ask(plan, api)["PRE132"]
    assert (answer.needed, answer.verdict) == ("Bound, ReadWriteMany", "short")


def test_what_upstream_withdrew_is_said_before_a_node_tries_to_pull_it(ask: Ask) -> None:
    plan = specs.plan_of("pd-disaggregation", GPT_OSS)
    said = [each for found in ask(plan, able(plan)).values() for each in found if each.code == "PRE135"]
    assert [each.found.split()[0] for each in said] == [
        "ghcr.io/llm-d/llm-d-inference-scheduler",
        "ghcr.io/llm-d/llm-d-routing-sidecar",
    ]
    assert all("images.registry" in each.fix for each in said)


@pytest.mark.parametrize("release", release_names())
def test_what_every_cluster_has_is_no_kind_to_install(release: str) -> None:
    """Istio's parameters are a ConfigMap, which no CustomResourceDefinition defines."""
    found = kinds(plan_of("inference-scheduling", release=release, gateway={"provider": "istio"}))
    assert all("." in each.name.partition(".")[2] for each in found)


BY_HAND: dict[str, Any] = {
    "containers": [
        {
            "name": "vllm",
            "env": [
                {"name": "PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}},
                {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": True}}},
            ],
        }
    ],
    "volumes": [
        {"name": "more", "persistentVolumeClaim": {"claimName": "more"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
        {"name": "host", "hostPath": {"path": "/opt/x"}},
    ],
}


def test_what_a_spec_puts_into_its_pods_is_asked_for_too(ask: Ask) -> None:
    plan = plan_of("inference-scheduling", decode={"pod": BY_HAND})
    api = able(plan)
    api.answers[f"{NAMESPACES}/llm-d-demo"] = {
        "metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}},
        "status": {"phase": "Active"},
    }
    found = ask(plan, api)
    assert {each.what: each.found for each in found["PRE136"]} == {
        "Secret llm-d-demo/proxy": "no such Secret",
        "Secret llm-d-demo/keys": "no such Secret",
    }
    assert [each.what for each in found["PRE132"]] == ["PersistentVolumeClaim llm-d-demo/more"]
    assert [each.found for each in found["PRE133"]] == ["baseline, which refuses hostPath volumes"]
    api.answers[f"{NAMESPACES}/llm-d-demo/secrets/proxy"] = {"data": {"url": "eA=="}}
    api.answers[f"{NAMESPACES}/llm-d-demo/secrets/keys"] = {"data": {}}
    assert [each.found for each in ask(plan, api)["PRE136"]] == ["key url", "is there"]


def test_a_priority_class_that_pods_name_has_to_be_there(ask: Ask) -> None:
    plan = plan_of("inference-scheduling", decode={"pod": {"priorityClassName": "serving"}})
    api = able(plan)
    del api.answers[f"{PRIORITY_CLASSES}/serving"]
    (answer,) = ask(plan, api)["PRE137"]
    assert (answer.verdict, answer.what) == ("missing", "PriorityClass serving")
    api.answers[f"{PRIORITY_CLASSES}/serving"] = {"metadata": {"name": "serving"}}
    assert ask(plan, api)["PRE137"][0].verdict == "ok"
