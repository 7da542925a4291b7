"""The files of a target, read back as Helm, the cluster and the router's chart would read them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmdgen.objects.chart import as_printed, pool_selector
from llmdgen.planning.model import Plan
from llmdgen.rendering.files import files
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of

PLANS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "inference-scheduling": ("inference-scheduling", QWEN, {}),
    "pd-disaggregation": ("pd-disaggregation", GPT_OSS, {"model": {"authSecretName": "llm-d-hf-token"}}),
    "wide-ep": ("wide-ep", DEEPSEEK, {}),
    "precise": ("precise-prefix-cache", QWEN, {"model": {"authSecretName": "llm-d-hf-token"}}),
    "three tiers": ("tiered-prefix-cache", QWEN, {"cache": {"disk": {}, "storage": {"claim": "kv"}}}),
    "wide tiers": ("wide-ep", DEEPSEEK, {"with": ["tiered-prefix-cache"], "cache": {"disk": {}}}),
}
RELEASES = ["v0.5.1", "v0.6.0", "v0.9.0"]
every = pytest.mark.parametrize(("name", "release"), [(name, release) for name in PLANS for release in RELEASES])


def _plan(name: str, release: str = "v0.5.1") -> Plan:
    path, model, sections = PLANS[name]
    return plan_of(path, model, release=release, **sections)


def _router(plan: Plan) -> Any:
    return yaml.safe_load(files(plan)["values/router.yaml"])


def _objects(plan: Plan) -> dict[tuple[str, str], Any]:
    """The objects of the local chart as Helm prints them, by kind and name."""
    texts = [text for name, text in files(plan).items() if name.startswith("chart/templates/")]
    docs = [yaml.safe_load(as_printed(text)) for text in texts]
    found = {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}
    assert len(found) == len(texts)
    return found


def _template(plan: Plan, role: str) -> Any:
    """The pod template of a role."""
    for (kind, name), doc in _objects(plan).items():
        if name == f"demo-{role}" and kind == "Deployment":
            return doc["spec"]["template"]
        if name == f"demo-{role}" and kind == "LeaderWorkerSet":
            return doc["spec"]["leaderWorkerTemplate"]["workerTemplate"]
    raise AssertionError(f"no workload of {role}")


def _pods(plan: Plan) -> dict[str, Any]:
    return {role.name: _template(plan, role.name)["spec"] for role in plan.roles}


@every
def test_a_target_has_the_same_files_and_bytes_every_time(name: str, release: str) -> None:
    first, second = files(_plan(name, release)), files(_plan(name, release))
    assert first == second
    assert {"SUMMARY.md", "allocation.yaml", "helmfile.yaml", "topology.svg", "values/router.yaml"} <= set(first)
    assert all(text.endswith("\n") and "\r" not in text for text in first.values())


@every
def test_the_pool_selects_the_model_servers_and_no_other_deployments(name: str, release: str) -> None:
    plan = _plan(name, release)
    values = _router(plan)
    pool = values["inferencePool"] if "inferenceExtension" in values else values["router"]
    assert pool["modelServers"]["matchLabels"] == pool_selector(plan)
    for role in plan.roles:
        labels = _template(plan, role.name)["metadata"]["labels"]
        assert pool_selector(plan).items() <= labels.items()
        assert (labels["llm-d.ai/deployment"], labels["llm-d.ai/role"]) == ("demo", role.name)


@every
def test_a_workload_selects_its_own_pods_by_what_no_spec_changes(name: str, release: str) -> None:
    plan = _plan(name, release)
    for role in plan.roles:
        doc = _objects(plan).get(("Deployment", f"demo-{role.name}"))
        if doc is None:
            assert role.size.workers > 1
            continue
        assert doc["spec"]["selector"]["matchLabels"] == {"llm-d.ai/deployment": "demo", "llm-d.ai/role": role.name}
        assert doc["spec"]["replicas"] == role.size.replicas


@every
def test_decode_vllm_listens_where_the_sidecar_forwards(name: str, release: str) -> None:
    plan = _plan(name, release)
    pods = _pods(plan)
    served = {role: [each["containerPort"] for each in pod["containers"][0]["ports"]] for role, pod in pods.items()}
    own = [each for each in pods["decode"].get("initContainers", ()) if each["name"] == "routing-proxy"]
    ranks = {role.name: role.ranks for role in plan.roles}
    targets = list(plan.target_ports)
    values = _router(plan)
    pool = values["inferencePool"] if "inferenceExtension" in values else values["router"]["modelServers"]
    assert [each["number"] for each in pool["targetPorts"]] == targets
    if plan.sidecar is None:
        assert own == []
        assert served["decode"][: ranks["decode"]] == targets[: ranks["decode"]]
        return
    (sidecar,) = own
    assert sidecar["restartPolicy"] == "Always"
    assert [each["containerPort"] for each in sidecar["ports"]] == targets[: ranks["decode"]]
    forwards = [8200 + rank for rank in range(ranks["decode"])]
    assert served["decode"][: ranks["decode"]] == forwards
    assert served["prefill"][: ranks["prefill"]] == targets[: ranks["prefill"]]
    assert {"--port=8000"} <= set(sidecar["args"])
    assert {"--vllm-port=8200", "--model-server-port=8200"} & set(sidecar["args"])
    assert (f"--data-parallel-size={ranks['decode']}" in sidecar["args"]) is (ranks["decode"] > 1)


@every
def test_names_within_a_pod_are_unique_and_mounts_have_volumes(name: str, release: str) -> None:
    for pod in _pods(_plan(name, release)).values():
        volumes = [each["name"] for each in pod["volumes"]]
        assert len(volumes) == len(set(volumes))
        for container in pod["containers"]:
            for key, items in (("name", container["env"]), ("mountPath", container["volumeMounts"])):
                assert len(items) == len({each[key] for each in items})
            ports = [each["containerPort"] for each in container["ports"]]
            assert len(ports) == len(set(ports))
            assert {each["name"] for each in container["volumeMounts"]} == set(volumes)


@every
def test_requests_equal_limits_and_devices_are_strings(name: str, release: str) -> None:
    plan = _plan(name, release)
    for role in plan.roles:
        resources = _pods(plan)[role.name]["containers"][0]["resources"]
        disk = {"ephemeral-storage": plan.model_size} if plan.model_size else {}
        assert resources["requests"] == resources["limits"] | disk
        assert resources["limits"]["nvidia.com/gpu"] == str(role.size.gpus_per_pod)
        interfaces = resources["limits"].get("vpc.amazonaws.com/efa")
        assert interfaces == (str(role.efa_per_pod) if role.efa_per_pod else None)


@every
def test_whoever_has_interfaces_may_lock_memory_as_root_and_nobody_else_asks(name: str, release: str) -> None:
    plan = _plan(name, release)
    for role in plan.roles:
        context = _pods(plan)[role.name]["containers"][0].get("securityContext")
        locking = {"runAsUser": 0, "runAsGroup": 0, "capabilities": {"add": ["IPC_LOCK"]}}
        assert context == (locking if role.efa_per_pod else None)


@every
def test_probes_ask_vllm_itself_or_its_supervisor_on_ports_that_are_there(name: str, release: str) -> None:
    for pod in _pods(_plan(name, release)).values():
        container = pod["containers"][0]
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container[kind]["httpGet"]["port"]
            assert asked == ("supervisor" if "supervisor" in ports else "vllm")
        if "supervisor" in ports:
            assert f"--data-parallel-supervisor-port={ports['supervisor']}" in container["args"][0]


def test_both_ends_of_a_transfer_have_the_side_channels_port() -> None:
    for pod in _pods(_plan("pd-disaggregation")).values():
        assert {"name": "nixl", "containerPort": 5600, "protocol": "TCP"} in pod["containers"][0]["ports"]


def test_a_group_of_pods_has_directories_and_sidecar_in_the_order_of_their_start() -> None:
    pod = _pods(_plan("wide tiers"))["decode"]
    assert [each["name"] for each in pod["initContainers"]] == ["kv-cache-directories", "routing-proxy"]


@pytest.mark.parametrize("release", RELEASES)
def test_pods_of_a_node_share_its_disk_by_slots_and_empty_what_was_left(release: str) -> None:
    container = _pods(_plan("three tiers", release))["decode"]["containers"][0]
    mounts = {each["name"]: each for each in container["volumeMounts"]}
    assert (mounts["kv-disk"]["subPathExpr"], mounts["kv-storage"]["subPathExpr"]) == ("demo", "demo")
    script = container["args"][0]
    order = ["flock --nonblock", '/mnt/kv-disk/$held" -mindepth 1 -delete', "/tmp/kv-disk", "exec vllm serve"]
    assert sorted(order, key=script.index) == order
    assert "for slot in 0 1 2 3 4 5 6 7; do" in script


@pytest.mark.parametrize("release", RELEASES)
def test_directories_belong_to_the_user_that_vllm_runs_as(release: str) -> None:
    plan = _plan("three tiers", release)
    (container,) = _pods(plan)["decode"]["initContainers"]
    assert f'chown {plan.server.user_id}:{plan.server.user_id} "$folder"' in container["command"][2]
    assert container["command"][4:] == ["/mnt/kv-disk/demo", "/mnt/kv-storage/demo"]


def test_the_tokenizer_and_the_scheduler_share_a_socket() -> None:
    extension = _router(_plan("precise"))["inferenceExtension"]
    config = yaml.safe_load(extension["pluginsCustomConfig"]["plugins.yaml"])
    scorer = next(each for each in config["plugins"] if each["type"] == "precise-prefix-cache-scorer")
    socket = scorer["parameters"]["indexerConfig"]["tokenizersPoolConfig"]["uds"]["socketFile"]
    shared = {"name": "tokenizer-uds", "mountPath": socket.rpartition("/")[0]}
    assert shared in extension["volumeMounts"]
    assert shared in extension["sidecar"]["volumeMounts"]
    assert {each["name"] for each in extension["volumes"]} == {"tokenizers", "tokenizer-uds"}


def test_the_scheduler_tokenizes_where_decode_serves() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, release="v0.9.0", with_=["precise-prefix-cache"])
    config = yaml.safe_load(_router(plan)["router"]["epp"]["pluginsCustomConfig"]["plugins.yaml"])
    producer = next(each for each in config["plugins"] if each["type"] == "token-producer")
    service = _objects(plan)[("Service", "demo-render")]["spec"]
    (port,) = service["ports"]
    assert producer["parameters"]["vllm"]["url"] == f"http://demo-render:{port['port']}"
    labels = _template(plan, "decode")["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    named = {each["name"]: each["containerPort"] for each in _pods(plan)["decode"]["containers"][0]["ports"]}
    assert (named[port["targetPort"]], named["kv-events"]) == (8200, 5556)


@pytest.mark.parametrize(
    ("release", "chart", "version"),
    [("v0.5.1", "inferencepool", "v1.3.1"), ("v0.9.0", "llm-d-router-gateway", "v0.10.0")],
)
def test_helmfile_orders_the_releases_and_pins_the_routers_chart(release: str, chart: str, version: str) -> None:
    helmfile = yaml.safe_load(files(_plan("pd-disaggregation", release))["helmfile.yaml"])
    router, servers = helmfile["releases"]
    assert (router["name"], servers["name"]) == ("demo-router", "demo-servers")
    assert router["chart"].rpartition("/")[2] == chart
    assert (router["version"], router["values"], router.get("needs")) == (version, ["values/router.yaml"], None)
    assert (servers["chart"], servers["needs"]) == ("./chart", ["llm-d-demo/demo-router"])
    assert helmfile["helmDefaults"]["createNamespace"] is True


def test_charts_of_a_folder_need_no_version_and_no_repository() -> None:
    helmfile = yaml.safe_load(files(_plan("pd-disaggregation"), charts="../../../charts")["helmfile.yaml"])
    assert "repositories" not in helmfile
    assert [each["chart"] for each in helmfile["releases"]] == ["../../../charts/inferencepool", "./chart"]
    assert all("version" not in each for each in helmfile["releases"])


@pytest.mark.parametrize("provider", ["istio", "kgateway", "agentgateway"])
@pytest.mark.parametrize("balancer", [None, {"scheme": "internal", "targetType": "instance", "annotations": {}}])
def test_annotations_of_the_load_balancer_stand_where_the_provider_reads_them(provider: str, balancer: Any) -> None:
    gateway = {"provider": provider} | ({"loadBalancer": balancer} if balancer else {})
    objects = _objects(plan_of("inference-scheduling", QWEN, gateway=gateway))
    prefix = "service.beta.kubernetes.io/aws-load-balancer-"
    expected = {prefix + "type": "external", prefix + "scheme": "internal", prefix + "nlb-target-type": "instance"}
    expected[prefix + "listener-attributes.TCP-80"] = "tcp.idle_timeout.seconds=3600"
    if not balancer:
        expected = {}
    kind = "LoadBalancer" if balancer else "ClusterIP"
    made = objects[("Gateway", "demo-gateway")]
    reference = made["spec"]["infrastructure"]["parametersRef"]
    parameters = objects[(reference["kind"], reference["name"])]
    on_gateway = made["metadata"].get("annotations", {})
    if provider == "istio":
        assert on_gateway == expected
        assert yaml.safe_load(parameters["data"]["service"]) == {"spec": {"type": kind}}
    elif provider == "kgateway":
        service = parameters["spec"]["kube"]["service"]
        assert (service["type"], service.get("extraAnnotations", {}), on_gateway) == (kind, expected, {})
    else:
        service = parameters["spec"]["service"]
        assert service["spec"]["type"] == kind
        assert (service.get("metadata", {}).get("annotations", {}), on_gateway) == (expected, {})


def test_the_route_leads_from_the_gateway_to_the_pool_without_a_time_limit() -> None:
    plan = _plan("pd-disaggregation")
    route = _objects(plan)[("HTTPRoute", plan.names.route)]["spec"]
    assert route["parentRefs"][0]["name"] == plan.names.gateway
    rule = route["rules"][0]
    assert (rule["backendRefs"][0]["name"], rule["timeouts"]["request"]) == (plan.names.pool, "0s")


@pytest.mark.parametrize("release", RELEASES)
def test_a_secret_is_named_and_never_holds_anything(release: str) -> None:
    plan = plan_of("precise-prefix-cache", QWEN, release=release, model={"authSecretName": "no"})
    token = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "no", "key": "HF_TOKEN"}}}
    assert token in _pods(plan)["decode"]["containers"][0]["env"]
    assert [key for key in _objects(plan) if key[0] == "Secret"] == []


@pytest.mark.parametrize(("release", "tokenizes"), [("v0.5.1", True), ("v0.9.0", False)])
def test_the_scheduler_has_the_token_where_it_tokenizes_itself(release: str, tokenizes: bool) -> None:
    plan = plan_of("precise-prefix-cache", QWEN, release=release, model={"authSecretName": "no"})
    assert ("secretKeyRef" in files(plan)["values/router.yaml"]) is tokenizes


def test_images_come_from_the_registry_of_the_spec_with_its_secrets() -> None:
    registry = "111122223333.dkr.ecr.us-east-1.amazonaws.com/llm-d"
    plan = plan_of("pd-disaggregation", GPT_OSS, release="v0.9.0", images={"registry": registry, "pullSecrets": ["e"]})
    for pod in _pods(plan).values():
        images = [each["image"] for each in (*pod.get("initContainers", ()), *pod["containers"])]
        assert all(image.startswith(f"{registry}/") for image in images)
        assert pod["imagePullSecrets"] == [{"name": "e"}]
    assert _router(plan)["router"]["epp"]["image"]["registry"] == registry


def test_a_part_of_a_pod_is_merged_over_the_plans() -> None:
    own = {
        "priorityClassName": "serving",
        "containers": [{"name": "vllm", "env": [{"name": "USER", "value": "me"}, {"name": "A", "value": "b"}]}],
    }
    pod = _pods(plan_of("inference-scheduling", QWEN, release="v0.9.0", decode={"pod": own}))["decode"]
    assert pod["priorityClassName"] == "serving"
    variables = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert (variables["USER"], variables["A"], variables["HF_HOME"]) == ("me", "b", "/model-cache")


def test_values_of_the_specs_own_lie_over_those_of_the_plan() -> None:
    own = {"router": {"router": {"epp": {"flags": {"v": "4"}, "podAnnotations": None}}}}
    epp = _router(plan_of("inference-scheduling", QWEN, release="v0.9.0", values=own))["router"]["epp"]
    assert epp["flags"] == {"v": "4"}
    assert "podAnnotations" not in epp
    assert epp["resources"]["requests"] == {"cpu": "4", "memory": "8Gi"}


def test_allocation_adds_up() -> None:
    plan = _plan("wide-ep")
    found = yaml.safe_load(files(plan)["allocation.yaml"])
    assert found["total"] == {"nodes": 8, "pods": 8, "gpus": 64, "efa": 256}
    assert found["roles"]["decode"]["parallelism"] == {"tensor": 1, "data": 32, "dataLocal": 8, "expert": 32}


def test_the_summary_says_what_the_numbers_of_the_scheduler_rest_on() -> None:
    notes = {
        "- Prefill throughput of meta-llama/Llama-3.3-70B-Instruct on NVIDIA H200": "inference-scheduling",
        "- A restarted scheduler does not know what the model servers held before": "precise-prefix-cache",
    }
    for note, path in notes.items():
        plan = plan_of(path, "meta-llama/Llama-3.3-70B-Instruct", "p5en.48xlarge", release="v0.9.0")
        assert any(line.startswith(note) for line in files(plan)["SUMMARY.md"].splitlines())
    wide = files(plan_of("wide-ep", DEEPSEEK, release="v0.9.0"))["SUMMARY.md"]
    assert "start more than 5 minutes apart" in wide


@pytest.mark.parametrize(
    ("release", "says"),
    [
        ("v0.5.1", "- The scheduler picks at random."),
        ("v0.9.0", "- Scheduler scorers: of prefill prefix-cache-scorer 3, queue-scorer 2, active-request-scorer 2; "),
    ],
)
def test_the_summary_names_the_scorers_of_each_profile(release: str, says: str) -> None:
    assert says in files(plan_of("wide-ep", DEEPSEEK, release=release))["SUMMARY.md"]


def test_directories_belong_to_root_where_interfaces_make_vllm_run_as_root() -> None:
    sections: dict[str, Any] = {"with_": ["tiered-prefix-cache"], "cache": {"storage": {"claim": "kv"}}}
    plan = plan_of("pd-disaggregation", GPT_OSS, release="v0.9.0", images={"modelServer": "llm-d-aws"}, **sections)
    for pod in _pods(plan).values():
        assert 'chown 0:0 "$folder"' in pod["initContainers"][0]["command"][2]
    alone = plan_of(
        "tiered-prefix-cache", QWEN, release="v0.9.0", images={"modelServer": "llm-d-aws"}, cache=sections["cache"]
    )
    assert 'chown 2000:2000 "$folder"' in _pods(alone)["decode"]["initContainers"][0]["command"][2]
