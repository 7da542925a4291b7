"""The files of a target, read back as the charts would read them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmdgen.planning.model import Plan
from llmdgen.rendering.files import files, pool_selector
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of

PLANS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "inference-scheduling": ("inference-scheduling", QWEN, {}),
    "pd-disaggregation": ("pd-disaggregation", GPT_OSS, {"model": {"authSecretName": "llm-d-hf-token"}}),
    "wide-ep": ("wide-ep", DEEPSEEK, {}),
    "precise": ("precise-prefix-cache", QWEN, {"model": {"authSecretName": "llm-d-hf-token"}}),
    "three tiers": ("tiered-prefix-cache", QWEN, {"cache": {"disk": {}, "storage": {"claim": "kv"}}}),
    "wide tiers": ("wide-ep", DEEPSEEK, {"with": ["tiered-prefix-cache"], "cache": {"disk": {}}}),
}


def _plan(name: str) -> Plan:
    path, model, sections = PLANS[name]
    return plan_of(path, model, **sections)


def _values(plan: Plan, chart: str) -> Any:
    return yaml.safe_load(files(plan)[f"values/{chart}.yaml"])


@pytest.mark.parametrize("name", PLANS)
def test_a_target_has_the_same_files_and_bytes_every_time(name: str) -> None:
    first, second = files(_plan(name)), files(_plan(name))
    assert first == second
    assert {"SUMMARY.md", "allocation.yaml", "helmfile.yaml", "topology.svg"} <= set(first)
    assert all(text.endswith("\n") and "\r" not in text for text in first.values())


@pytest.mark.parametrize("name", PLANS)
def test_the_pool_selects_the_labels_of_the_model_servers(name: str) -> None:
    plan = _plan(name)
    selector = _values(plan, "gaie")["inferencePool"]["modelServers"]["matchLabels"]
    assert selector == pool_selector(plan)
    assert selector.items() <= _values(plan, "ms")["modelArtifacts"]["labels"].items()


@pytest.mark.parametrize("name", PLANS)
def test_decode_vllm_listens_where_the_sidecar_forwards(name: str) -> None:
    plan = _plan(name)
    values = _values(plan, "ms")
    proxy, decode = values["routing"]["proxy"], values["decode"]
    port = decode["containers"][0]["ports"][0]["containerPort"]
    assert proxy["targetPort"] == port
    own = [each for each in decode.get("initContainers", ()) if each["name"] == "routing-proxy"]
    assert proxy["enabled"] is (plan.sidecar and not own)
    if own:
        assert f"--vllm-port={port}" in own[0]["args"]
        assert own[0]["restartPolicy"] == "Always"
    assert (port == 8000) is not plan.sidecar
    assert _values(plan, "gaie")["inferencePool"]["targetPorts"] == [{"number": 8000}]


@pytest.mark.parametrize("name", PLANS)
def test_names_within_a_pod_are_unique_and_mounts_have_volumes(name: str) -> None:
    for role in ("prefill", "decode"):
        values = _values(_plan(name), "ms")[role]
        for container in values.get("containers", ()):
            variables = [each["name"] for each in container["env"]]
            mounts = [each["mountPath"] for each in container["volumeMounts"]]
            volumes = [each["name"] for each in values["volumes"]]
            assert len(variables) == len(set(variables))
            assert len(mounts) == len(set(mounts))
            assert len(volumes) == len(set(volumes))
            assert {each["name"] for each in container["volumeMounts"]} == set(volumes)


@pytest.mark.parametrize("name", PLANS)
def test_requests_equal_limits_and_devices_are_strings(name: str) -> None:
    plan = _plan(name)
    for role in plan.roles:
        resources = _values(plan, "ms")[role.name]["containers"][0]["resources"]
        assert resources["requests"] == resources["limits"]
        interfaces = resources["limits"].get("vpc.amazonaws.com/efa")
        assert interfaces == (str(role.efa_per_pod) if role.efa_per_pod else None)


def test_both_ends_of_a_transfer_have_interfaces_and_may_lock_memory() -> None:
    values = _values(_plan("pd-disaggregation"), "ms")
    for role in ("prefill", "decode"):
        container = values[role]["containers"][0]
        assert container["extraConfig"]["securityContext"]["capabilities"]["add"] == ["IPC_LOCK"]
        assert container["ports"][1] == {"name": "nixl", "containerPort": 5600, "protocol": "TCP"}


def test_a_group_of_pods_has_sidecar_and_directories_in_one_list() -> None:
    values = _values(_plan("wide tiers"), "ms")
    assert values["multinode"] is True
    assert [each["name"] for each in values["decode"]["initContainers"]] == ["kv-cache-directories", "routing-proxy"]
    assert values["routing"]["proxy"]["enabled"] is False


def test_a_pod_leaves_nothing_on_the_nodes_disk_and_all_on_the_claim() -> None:
    container = _values(_plan("three tiers"), "ms")["decode"]["containers"][0]
    command = container["extraConfig"]["lifecycle"]["preStop"]["exec"]["command"]
    assert command == ["find", "/mnt/kv-disk", "-mindepth", "1", "-delete"]
    mounts = {each["name"]: each for each in container["volumeMounts"]}
    assert mounts["kv-disk"]["subPathExpr"] == "$(POD_NAME)"


def test_the_tokenizer_and_the_scheduler_share_a_socket() -> None:
    extension = _values(_plan("precise"), "gaie")["inferenceExtension"]
    config = yaml.safe_load(extension["pluginsCustomConfig"]["plugins.yaml"])
    scorer = next(each for each in config["plugins"] if each["type"] == "precise-prefix-cache-scorer")
    socket = scorer["parameters"]["indexerConfig"]["tokenizersPoolConfig"]["uds"]["socketFile"]
    shared = {"name": "tokenizer-uds", "mountPath": socket.rpartition("/")[0]}
    assert shared in extension["volumeMounts"]
    assert shared in extension["sidecar"]["volumeMounts"]
    assert {each["name"] for each in extension["volumes"]} == {"tokenizers", "tokenizer-uds"}


def test_helmfile_orders_the_releases_and_pins_their_charts() -> None:
    helmfile = yaml.safe_load(files(_plan("pd-disaggregation"))["helmfile.yaml"])
    releases = helmfile["releases"]
    assert [each["name"] for each in releases] == ["infra-demo", "gaie-demo", "ms-demo"]
    assert [each.get("needs", []) for each in releases] == [
        [],
        ["llm-d-demo/infra-demo"],
        ["llm-d-demo/infra-demo", "llm-d-demo/gaie-demo"],
    ]
    assert [each["version"] for each in releases] == ["v1.3.6", "v1.3.1", "v0.4.7"]
    assert helmfile["helmDefaults"]["createNamespace"] is True


def test_charts_of_a_folder_need_no_version_and_no_repository() -> None:
    helmfile = yaml.safe_load(files(_plan("pd-disaggregation"), charts="../../../charts")["helmfile.yaml"])
    assert "repositories" not in helmfile
    assert [each["chart"] for each in helmfile["releases"]] == [
        "../../../charts/llm-d-infra",
        "../../../charts/inferencepool",
        "../../../charts/llm-d-modelservice",
    ]


@pytest.mark.parametrize("provider", ["istio", "kgateway", "agentgateway"])
@pytest.mark.parametrize("balancer", [None, {"scheme": "internal", "targetType": "instance", "annotations": {}}])
def test_annotations_of_the_load_balancer_stand_where_the_provider_reads_them(provider: str, balancer: Any) -> None:
    gateway = {"provider": provider} | ({"loadBalancer": balancer} if balancer else {})
    plan = plan_of("inference-scheduling", QWEN, gateway=gateway)
    values = _values(plan, "infra")
    prefix = "service.beta.kubernetes.io/aws-load-balancer-"
    expected = {prefix + "type": "external", prefix + "scheme": "internal", prefix + "nlb-target-type": "instance"}
    kind = "LoadBalancer" if balancer else "ClusterIP"
    objects = {each["kind"]: each for each in values.get("extraDeploy", ())}
    if provider == "istio":
        assert values["gateway"].get("annotations", {}) == (expected if balancer else {})
        assert values["gateway"]["service"]["type"] == kind
    elif provider == "kgateway" and not balancer:
        assert values["gateway"]["service"]["type"] == kind
    elif provider == "kgateway":
        service = objects["GatewayParameters"]["spec"]["kube"]["service"]
        assert service == {"type": kind, "extraAnnotations": expected}
    else:
        service = objects["AgentgatewayParameters"]["spec"]["service"]
        assert service["spec"]["type"] == kind
        assert service.get("metadata", {}).get("annotations", {}) == (expected if balancer else {})
    if objects:
        assert values["gateway"]["enabled"] is False
        reference = objects["Gateway"]["spec"]["infrastructure"]["parametersRef"]
        assert objects[reference["kind"]]["metadata"]["name"] == reference["name"]


def test_the_route_leads_from_the_gateway_to_the_pool_without_a_time_limit() -> None:
    plan = _plan("pd-disaggregation")
    route = _values(plan, "ms")["extraObjects"][0]
    assert route["spec"]["parentRefs"][0]["name"] == plan.names.gateway
    rule = route["spec"]["rules"][0]
    assert (rule["backendRefs"][0]["name"], rule["timeouts"]["request"]) == (plan.names.pool, "0s")


def test_a_secret_is_named_and_never_holds_anything() -> None:
    plan = plan_of("precise-prefix-cache", QWEN, model={"authSecretName": "no"})
    assert _values(plan, "ms")["modelArtifacts"]["authSecretName"] == "no"
    variable = _values(plan, "gaie")["inferenceExtension"]["env"][0]
    assert variable == {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "no", "key": "HF_TOKEN"}}}


def test_allocation_adds_up() -> None:
    plan = _plan("wide-ep")
    found = yaml.safe_load(files(plan)["allocation.yaml"])
    assert found["total"] == {"nodes": 8, "pods": 8, "gpus": 64, "efa": 256}
    assert found["roles"]["decode"]["parallelism"] == {"tensor": 1, "data": 32, "dataLocal": 8, "expert": 32}
