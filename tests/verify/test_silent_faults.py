"""Faults that no tool reports, and that cost requests, speed or a night: each is caught by the rule that is for it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from llmdgen import api
from llmdgen.cli.main import main
from llmdgen.objects import objects
from llmdgen.objects.chart import servers_of
from llmdgen.rendering.files import files
from llmdgen.verify.files import against_lock, read_files
from llmdgen.verify.rendered import Rendered
from llmdgen.verify.run import judged
from tests.verify.conftest import Docs, Good
from tests.verify.mutate import (
    DECODE,
    DECODE_MONITOR,
    EFA,
    EPP,
    EPP_SERVICE,
    GATEWAY,
    GATEWAY_MAP,
    NLB,
    PREFILL,
    ROUTE,
    RULE,
    WIDE_DECODE,
    Change,
    add_env,
    argument,
    both,
    in_pod,
    in_vllm,
    plugins,
    put,
    remove,
    resource,
    script,
    set_env,
    sidecar_flag,
)

TRANSFER = (
    '--kv-transfer-config={"kv_connector":"%s","kv_role":"%s","kv_connector_extra_config":{"backends":["LIBFABRIC"]}}'
)
EPP_IMAGE = ("spec", "template", "spec", "containers", 0, "image")
ENDPOINT = ("spec", "podMetricsEndpoints", 0)


def labelled(name: str, key: str, value: str) -> Change:
    """Label the pods of a Deployment, and say which model they serve."""

    def change(docs: Docs) -> None:
        docs[name]["spec"]["template"]["metadata"]["labels"] |= {"llm-d.ai/model": "gpt-oss-120b", key: value}

    return change


def epp_flag(name: str, value: str) -> Change:
    """Set a flag of the scheduler, whose name and value are two arguments."""

    def change(docs: Docs) -> None:
        args = docs[EPP]["spec"]["template"]["spec"]["containers"][0]["args"]
        args[args.index(f"--{name}") + 1] = value

    return change


def second_scorer(**parameters: Any) -> Change:
    def edit(config: dict[str, Any]) -> None:
        scorer = {"type": "prefix-cache-scorer", "name": "cpu-scorer", "parameters": parameters}
        config["plugins"].insert(2, scorer)
        for profile in config["schedulingProfiles"]:
            profile["plugins"].append({"pluginRef": "cpu-scorer", "weight": 1})

    return plugins(edit)


def unreferred(config: dict[str, Any]) -> None:
    for profile in config["schedulingProfiles"]:
        del profile["plugins"][2]


def twice(config: dict[str, Any]) -> None:
    config["schedulingProfiles"][0]["plugins"].append({"pluginRef": "queue-scorer"})


def unfiltered(config: dict[str, Any]) -> None:
    del config["schedulingProfiles"][1]["plugins"][0]


def weight(value: float) -> Change:
    return plugins(lambda config: config["schedulingProfiles"][0]["plugins"][1].update(weight=value))


SILENT: list[tuple[str, Change, set[str]]] = [
    ("a volume over the image", in_vllm(DECODE, "volumeMounts", "/caches", "mountPath", value="/"), {"VER103"}),
    ("another vendor's label", labelled(DECODE, "llm-d.ai/accelerator-vendor", "amd"), {"VER104"}),
    (
        "a resource without a domain",
        in_vllm(DECODE, "resources", "limits", "cpus", value="16"),
        {"VER108"},
    ),
    (
        "the gateway's resources misspelt",
        put(
            GATEWAY_MAP,
            "data",
            "deployment",
            value="spec: {template: {spec: {containers: [{name: istio-proxy, resources: {limit: {cpu: 1}}}]}}}",
        ),
        {"VER111"},
    ),
    ("an image of no registry", put(EPP, *EPP_IMAGE, value="/llm-d-inference-scheduler:v0.6.0"), {"VER050"}),
    ("no scheduler", put(EPP, "spec", "replicas", value=0), {"VER105"}),
    (
        "a variable without a name",
        in_vllm(DECODE, "env", "VLLM_NIXL_SIDE_CHANNEL_HOST", "name", value=""),
        {"VER074", "VER106"},
    ),
    ("EFA that is only limited", resource(DECODE, EFA, None, ("requests",)), {"VER107"}),
    ("vLLM's port is UDP", in_vllm(DECODE, "ports", "vllm", "protocol", value="UDP"), {"VER020"}),
    ("the metrics of NIXL's port", put(DECODE_MONITOR, *ENDPOINT, "port", value="nixl"), {"VER034"}),
    (
        "a route to a port that the pool does not have",
        put(ROUTE, "spec", "rules", 0, "backendRefs", 0, "port", value=8001),
        {"VER041"},
    ),
    ("capabilities that are none", in_vllm(DECODE, "securityContext", value={"capabilities": "x"}), {"VER073"}),
    ("two scorers of one cache", second_scorer(), {"EPP015"}),
    ("a scorer with blocks of another size", second_scorer(autoTune=False, blockSizeTokens=64), {"EPP015"}),
    ("the sidecar serves TLS", sidecar_flag("secure-proxy", "true"), {"VER024"}),
    ("the sidecar speaks another protocol", sidecar_flag("connector", "lmcache"), {"VER024"}),
    ("the picker's health port", put(EPP_SERVICE, "spec", "ports", 0, "targetPort", value=9003), {"VER025"}),
    ("no readiness probe", in_vllm(DECODE, "readinessProbe", value=None), {"VER026"}),
    ("no startup probe", in_vllm(DECODE, "startupProbe", value=None), {"VER026"}),
    (
        "a path that vLLM does not serve",
        in_vllm(DECODE, "readinessProbe", "httpGet", "path", value="/healthz"),
        {"VER026"},
    ),
    ("a minute to start", in_vllm(DECODE, "startupProbe", "failureThreshold", value=2), {"VER027"}),
    ("another side channel", in_vllm(DECODE, "ports", "nixl", "containerPort", value=5601), {"VER028"}),
    ("an unknown effect", in_pod(DECODE, "tolerations", 0, "effect", value="NoScheduled"), {"VER036", "VER056"}),
    (
        "two volumes of one name",
        in_pod(DECODE, "volumes", "caches", "name", value="shm"),
        {"VER013", "VER037", "VER053"},
    ),
    (
        "a volume for nobody",
        in_vllm(DECODE, "volumeMounts", "/caches", value={"name": "cache", "mountPath": "/x"}),
        {"VER013", "VER038", "VER053"},
    ),
    ("answers end after a second", put(ROUTE, "spec", "rules", 0, "timeouts", value={"request": "1s"}), {"VER039"}),
    ("a route for another path", put(ROUTE, "spec", "rules", 0, "matches", 0, "path", "value", value="/x"), {"VER048"}),
    ("no backend has weight", put(ROUTE, "spec", "rules", 0, "backendRefs", 0, "weight", value=0), {"VER048"}),
    ("an unknown gateway class", put(GATEWAY, "spec", "gatewayClassName", value="istios"), {"VER045", "VER049"}),
    ("shared memory on a disk", in_pod(DECODE, "volumes", "shm", "emptyDir", "medium", value=""), {"VER052"}),
    ("no shared memory", in_vllm(DECODE, "volumeMounts", "/dev/shm", "mountPath", value="/dev/shmx"), {"VER052"}),
    ("no place for Triton", set_env(DECODE, "TRITON_CACHE_DIR", "/.triton"), {"VER053"}),
    (
        "a model larger than its volume",
        in_pod(DECODE, "volumes", "model-storage", "emptyDir", "sizeLimit", value="20Gi"),
        {"MOD013"},
    ),
    ("no toleration", in_pod(DECODE, "tolerations", value=[]), {"VER056"}),
    ("no rule for the picker", remove(RULE), {"VER057"}),
    (
        "a hundred requests at most",
        put(RULE, "spec", "trafficPolicy", "connectionPool", "http", "http2MaxRequests", value=100),
        {"VER057"},
    ),
    (
        "another libfabric provider",
        both(set_env(DECODE, "FI_PROVIDER", "tcp"), set_env(PREFILL, "FI_PROVIDER", "tcp")),
        {"EFA019"},
    ),
    ("one end with another fork policy", add_env(DECODE, "FI_EFA_FORK_SAFE", "1"), {"EFA020", "VER059"}),
    ("the scheduler reads another metric", epp_flag("kv-cache-usage-percentage-metric", "vllm:kv_usage"), {"VER078"}),
    ("a weight below zero", weight(-2), {"EPP003"}),
    ("a scorer in no profile", plugins(unreferred), {"EPP003"}),
    ("no header for the prefill pod", plugins(lambda config: config["plugins"].pop(0)), {"EPP003"}),
    ("decode takes any pod", plugins(unfiltered), {"EPP003"}),
    ("a scorer twice", plugins(twice), {"EPP003"}),
    (
        "a connector that is none",
        argument(DECODE, "--kv-transfer-config", TRANSFER % ("NixlConector", "kv_both")),
        {"VER092", "VLLM005"},
    ),
    (
        "a role that is none",
        argument(DECODE, "--kv-transfer-config", TRANSFER % ("NixlConnector", "both")),
        {"VER092", "VLLM003"},
    ),
    ("a variable misspelt", add_env(DECODE, "VLLM_LOGING_LEVEL", "DEBUG"), {"VLLM008"}),
]


@pytest.mark.parametrize(("change", "codes"), [pytest.param(change, codes, id=name) for name, change, codes in SILENT])
def test_a_silent_fault_is_caught(pd: Good, change: Change, codes: set[str]) -> None:
    assert pd.codes(change) == codes


def test_caches_larger_than_the_memory_are_caught(wide_ep: Good) -> None:
    assert wide_ep.codes(script(WIDE_DECODE, "10737418240", "107374182400")) == {"FIT007", "VER069", "VER092"}


def test_a_load_balancer_without_annotations_is_caught(pd: Good) -> None:
    def change(docs: Docs) -> None:
        docs[GATEWAY]["metadata"]["annotations"] = {}
        docs[GATEWAY_MAP]["data"]["service"] = "spec: {type: LoadBalancer}"

    assert pd.codes(change) == {"VER049"}


CHART = "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool"


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        (CHART, CHART.replace("gateway-api", "x-gateway-api"), {"VER009"}),
        ("    values:\n      - values/router.yaml\n", "", {"VER009"}),
        ("llm-d-pd/pd-router\n", "llm-d-pd/x-router\n", {"VER009", "VER099"}),
    ],
)
def test_a_release_that_cannot_be_installed_is_caught(pd: Good, old: str, new: str, codes: set[str]) -> None:
    text = pd.files["helmfile.yaml"]
    assert old in text
    assert {each.code for each in pd.judge(pd.manifests, {"helmfile.yaml": text.replace(old, new)})} == codes


def test_a_value_that_no_chart_reads_is_caught(pd: Good) -> None:
    text = pd.files["values/router.yaml"].replace("enabled: true", "enable: true")
    found = pd.break_(lambda docs: None, {"values/router.yaml": text})
    assert [(each.code, each.path) for each in found] == [("VER077", "inferenceExtension.monitoring.prometheus.enable")]
    assert "enabled" in found[0].fix


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  decode:\n", "  decoder:\n"),
        ("memoryPerPod: 64Gi", "memoryPerPod: 32Gi"),
        ("tensor: 4", "tensor: 2"),
        ("release: v0.5.1", "release: v0.5"),
        ("efaPerNode: 32", "efaPerNode: 64"),
        ("  gpus: 8\n", "  gpus: 9\n"),
    ],
)
def test_an_allocation_that_is_not_true_is_caught(pd: Good, old: str, new: str) -> None:
    text = pd.files["allocation.yaml"]
    assert old in text
    head, _, tail = text.rpartition(old)
    assert pd.codes(lambda docs: None, {"allocation.yaml": head + new + tail}) == {"VER069"}


def against(directory: Path) -> list[tuple[str, str]]:
    return [(each.code, each.of) for each in against_lock(directory, read_files(directory), False)[0]]


def test_an_edited_file_a_missing_and_a_further_one_are_told_by_the_lock(tmp_path: Path) -> None:
    spec = str(Path(__file__).parent / "data" / "pd" / "spec.yaml")
    assert main(["render", spec, "-o", str(tmp_path)]) == 0
    target = tmp_path / "pd" / "p5.48xlarge"
    assert against(target) == []
    (target / "chart" / "templates" / "decode.yaml").write_text("replicas: 5\n")
    (target / "chart" / "templates" / "job.yaml").write_text("kind: Job\n")
    (target / "kustomization.yaml").write_text("resources: []\n")
    (target / "vllm" / "decode.args").unlink()
    (target / "SUMMARY.md").write_text("notes of a reviewer\n")
    assert against(target) == [
        ("VER008", "chart/templates/decode.yaml"),
        ("VER008", "vllm/decode.args"),
        ("VER008", "chart/templates/job.yaml"),
        ("VER008", "kustomization.yaml"),
    ]


def test_a_directory_without_a_lock_is_not_judged_by_one(pd: Good, tmp_path: Path) -> None:
    assert against(pd.write(tmp_path / "p5.48xlarge")) == []


def both_roles(change: Callable[[str], Change]) -> Change:
    return both(change(PREFILL), change(DECODE))


BUDGET = ("PodDisruptionBudget/pd-decode", "spec", "selector", "matchLabels", "llm-d.ai/role")
SIDECAR = "example.com/llm-d/llm-d-routing-sidecar:v0.6.0"
ANNOTATIONS = (GATEWAY, "metadata", "annotations")
UNSEALED: list[tuple[str, Change, set[str]]] = [
    ("a budget over two roles", put(*BUDGET, value=None), {"VER118"}),
    ("a route without its label", put("HTTPRoute/pd", "metadata", "labels", value={}), {"VER118"}),
    ("no liveness probe", both_roles(lambda role: in_vllm(role, "livenessProbe", value=None)), {"VER119"}),
    ("no preStop", both_roles(lambda role: in_vllm(role, "lifecycle", value=None)), {"VER119"}),
    ("an early deadline", both_roles(lambda role: put(role, "spec", "progressDeadlineSeconds", value=60)), {"VER119"}),
    ("no value", both_roles(lambda role: in_vllm(role, "env", "HF_HOME", "value", value=None)), {"VER120"}),
    ("another registry", in_pod(DECODE, "initContainers", 0, "image", value=SIDECAR), {"VER121"}),
    ("roles that differ", in_vllm(PREFILL, "readinessProbe", "periodSeconds", value=6), {"VER122"}),
    ("a scheme that does not exist", put(*ANNOTATIONS, f"{NLB}scheme", value="internalx"), {"VER117"}),
    ("an annotation misspelt", put(*ANNOTATIONS, f"{NLB}shceme", value="internal"), {"VER117"}),
]


@pytest.mark.parametrize(("change", "codes"), [pytest.param(*each[1:], id=each[0]) for each in UNSEALED])
def test_an_edit_that_no_lock_shows_is_caught(pd: Good, change: Change, codes: set[str]) -> None:
    docs = {str(each): deepcopy(each.doc) for each in pd.manifests}
    change(docs)
    made = tuple(structs.replace(each, doc=docs[str(each)]) for each in pd.manifests)
    assert {each.code for each in pd.judge(made, None, is_sealed=False)} - {"VER092"} == codes


def test_a_scheduler_service_without_the_port_of_kv_events_is_caught() -> None:
    spec = api.load(Path(__file__).parents[1] / "golden" / "precise-prefix-cache" / "spec.yaml")
    plan = api.draft(spec, api.targets(spec)[0])
    servers = servers_of(plan, objects(plan))
    name = f"{plan.names.router}-epp"
    for port, codes in ((5557, set()), (9002, {"VER116"})):
        doc = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": port}]}}
        service = structs.replace(servers.manifests[0], kind="Service", name=name, doc=doc)
        found = judged(Rendered((*servers.manifests, service), files(plan), is_sealed=True))
        assert {each.code for each in found} & {"VER116"} == codes
