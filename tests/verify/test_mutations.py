"""Every rule catches what it is for: one change to a good directory, and exactly the codes that must see it."""

from __future__ import annotations

import pytest

from llmdgen.checks import load_plan_checks
from llmdgen.registry import RULES
from tests.verify.conftest import Good
from tests.verify.mutate import (
    DECODE,
    DECODE_MONITOR,
    EFA,
    EPP,
    EPP_MAP,
    EPP_SERVICE,
    GATEWAY,
    GATEWAY_MAP,
    GPU,
    METRICS_SECRET,
    NLB,
    POOL,
    PREFILL,
    PREFILL_MONITOR,
    ROUTE,
    RULE,
    WIDE_DECODE,
    Change,
    add_env,
    argument,
    both,
    in_pod,
    in_vllm,
    leader_without_efa,
    plugin,
    plugins,
    put,
    remove,
    resource,
    script,
    set_env,
    sidecar_flag,
)
from tests.verify.test_silent_faults import SILENT

PD: list[tuple[str, Change, set[str]]] = [
    # containers
    ("HF_HOME stands twice", add_env(DECODE, "HF_HOME", "/x"), {"VER010", "VER053"}),
    (
        "the sidecar's port is vLLM's too",
        in_vllm(PREFILL, "ports", "nixl", "containerPort", value=8000),
        {"VER011", "VER028"},
    ),
    ("two ports have one name", in_vllm(PREFILL, "ports", "nixl", "name", value="vllm"), {"VER011", "VER020"}),
    ("a probe names no port", in_vllm(DECODE, "readinessProbe", "httpGet", "port", value="http"), {"VER012"}),
    (
        "a probe asks another number",
        in_vllm(DECODE, "readinessProbe", "httpGet", "port", value=8001),
        {"VER012", "VER020"},
    ),
    (
        "a mount without volume",
        in_vllm(DECODE, "volumeMounts", "/dev/shm", "name", value="dshm"),
        {"VER013", "VER038", "VER052"},
    ),
    (
        "two mounts at one path",
        in_vllm(DECODE, "volumeMounts", "/caches", "mountPath", value="/dev/shm"),
        {"VER013", "VER053"},
    ),
    ("the service account is missing", remove("ServiceAccount/pd"), {"VER014"}),
    ("the plugins' ConfigMap is missing", remove(EPP_MAP), {"VER014", "VER080"}),
    # texts
    ("the gateway's name is too long", put(GATEWAY, "metadata", "name", value="g" * 60), {"VER015", "VER040"}),
    (
        "a number became 1e+06",
        argument(DECODE, "--max-model-len", "--max-model-len=1e+06"),
        {"EFA018", "VER016", "VER092", "VLLM003"},
    ),
    (
        "a float number in an annotation",
        put(GATEWAY, "metadata", "annotations", "x", value=2_000_000.0),
        {"VER016", "VER047"},
    ),
    ("a Secret has data", put(METRICS_SECRET, "data", value={"token": "eA=="}), {"VER017"}),
    (
        "HF_TOKEN is written down",
        set_env(DECODE, "HF_TOKEN", "x"),
        {"VER017"},
    ),
    ("a token in an argument", argument(DECODE, "", "--hf-token=hf_" + "a" * 34), {"VER017", "VER092"}),
    ("an object in another namespace", put(DECODE_MONITOR, "metadata", "namespace", value="monitoring"), {"VER018"}),
    # ports
    ("vLLM's port is not the container's", in_vllm(PREFILL, "ports", 0, "containerPort", value=8200), {"VER020"}),
    ("the sidecar listens elsewhere", sidecar_flag("port", "8100"), {"VER021"}),
    (
        "prefill listens elsewhere",
        both(argument(PREFILL, "8000", "8200"), in_vllm(PREFILL, "ports", 0, "containerPort", value=8200)),
        {"VER021", "VER092"},
    ),
    ("the pool sends elsewhere", put(POOL, "spec", "targetPorts", 0, "number", value=8080), {"VER021"}),
    (
        "the sidecar forwards elsewhere",
        sidecar_flag("vllm-port", "8201"),
        {"VER022"},
    ),
    (
        "decode has no sidecar",
        both(
            in_pod(DECODE, "initContainers", value=None),
            argument(DECODE, "8200", "8000"),
            in_vllm(DECODE, "ports", 0, "containerPort", value=8000),
        ),
        {"VER023", "VER069", "VER092"},
    ),
    # labels
    (
        "the pool selects nobody",
        put(POOL, "spec", "selector", "matchLabels", "llm-d.ai/deployment", value="other"),
        {"VER030"},
    ),
    (
        "the pool selects the scheduler too",
        put(POOL, "spec", "selector", "matchLabels", value={"inferencepool": "pd-router-epp"}),
        {"VER030", "VER031"},
    ),
    ("the pool's selector is empty", put(POOL, "spec", "selector", "matchLabels", value={}), {"VER030", "VER031"}),
    (
        "a Deployment does not select its pods",
        put(DECODE, "spec", "selector", "matchLabels", "llm-d.ai/role", value="prefill"),
        {"VER032"},
    ),
    (
        "an unknown role",
        both(
            put(DECODE, "spec", "template", "metadata", "labels", "llm-d.ai/role", value="decoder"),
            put(DECODE, "spec", "selector", "matchLabels", "llm-d.ai/role", value="decoder"),
            put(DECODE_MONITOR, "spec", "selector", "matchLabels", "llm-d.ai/role", value="decoder"),
        ),
        {"VER033", "VER069", "VER087", "VER092"},
    ),
    (
        "a monitor watches no port",
        put(DECODE_MONITOR, "spec", "podMetricsEndpoints", 0, "port", value="metrics"),
        {"VER034"},
    ),
    (
        "a monitor selects no pods",
        put(DECODE_MONITOR, "spec", "selector", "matchLabels", "llm-d.ai/role", value="x"),
        {"VER034"},
    ),
    ("a Service sends to no port", put(EPP_SERVICE, "spec", "ports", 1, "targetPort", value=9091), {"VER035"}),
    # routes
    (
        "the route hangs on no gateway",
        put(ROUTE, "spec", "parentRefs", 0, "name", value="inference-gateway"),
        {"VER040"},
    ),
    (
        "the route leads to no pool",
        put(ROUTE, "spec", "rules", 0, "backendRefs", 0, "name", value="x-router"),
        {"VER041", "VER043"},
    ),
    (
        "the route's backend has no group",
        put(ROUTE, "spec", "rules", 0, "backendRefs", 0, "group", value=None),
        {"VER041"},
    ),
    ("the endpoint picker is missing", put(POOL, "spec", "endpointPickerRef", "name", value="epp"), {"VER042"}),
    (
        "the endpoint picker has another port",
        put(POOL, "spec", "endpointPickerRef", "port", "number", value=9003),
        {"VER042"},
    ),
    ("no route", remove(ROUTE), {"VER043"}),
    (
        "the DestinationRule is for nobody",
        put(RULE, "spec", "host", value="localhost"),
        {"VER044", "VER057"},
    ),
    # load balancer
    ("annotations on another gateway class", put(GATEWAY, "spec", "gatewayClassName", value="kgateway"), {"VER045"}),
    (
        "infrastructure annotations under Istio",
        put(GATEWAY, "spec", "infrastructure", "annotations", value={"a": "b"}),
        {"VER045"},
    ),
    ("the Service is a ClusterIP", put(GATEWAY_MAP, "data", "service", value="spec: {type: ClusterIP}"), {"VER046"}),
    ("nothing names the controller", put(GATEWAY, "metadata", "annotations", f"{NLB}type", value=None), {"VER046"}),
    ("an annotation is a number", put(GATEWAY, "metadata", "annotations", f"{NLB}scheme", value=1), {"VER047"}),
    # images
    ("latest", in_vllm(DECODE, "image", value="ghcr.io/llm-d/llm-d-aws:latest"), {"VER050"}),
    ("no tag", in_pod(EPP, "containers", 0, "image", value="localhost:5000/epp"), {"VER050"}),
    ("the CUDA image", in_vllm(DECODE, "image", value="ghcr.io/llm-d/llm-d-cuda:v0.5.1"), {"VER051"}),
    (
        "another sidecar",
        in_pod(DECODE, "initContainers", 0, "image", value="ghcr.io/llm-d/llm-d-routing-sidecar:v0.5.0"),
        {"VER051"},
    ),
    # resources
    ("EFA requested otherwise", resource(DECODE, EFA, "8", ("requests",)), {"VER060"}),
    ("half a GPU", resource(PREFILL, GPU, "500m"), {"EFA007", "VER060", "VER066", "VER069"}),
    ("memory requested otherwise", resource(DECODE, "memory", "32Gi", ("requests",)), {"VER061", "VER069"}),
    ("too much memory", resource(DECODE, "memory", "4Ti"), {"FIT001", "VER069"}),
    ("more EFA than the node has", resource(DECODE, EFA, "33"), {"EFA003", "VER069"}),
    ("too much cpu for the GPUs", resource(DECODE, "cpu", "100"), {"FIT002", "VER069"}),
    ("EFA is not the share", resource(PREFILL, EFA, "1"), {"EFA007", "VER069"}),
    (
        "a larger /dev/shm",
        in_pod(DECODE, "volumes", "shm", "emptyDir", "sizeLimit", value="64Gi"),
        {"FIT006", "VER069"},
    ),
    ("an unlimited /dev/shm", in_pod(DECODE, "volumes", "shm", "emptyDir", "sizeLimit", value=None), {"FIT006"}),
    (
        "GPUs without tensor parallelism",
        argument(DECODE, "--tensor-parallel-size", "--pipeline-parallel-size=2", "--tensor-parallel-size"),
        {"VER066", "VER092"},
    ),
    ("no instance type", in_pod(DECODE, "nodeSelector", "node.kubernetes.io/instance-type", value=None), {"VER067"}),
    (
        "an unknown instance type",
        in_pod(DECODE, "nodeSelector", "node.kubernetes.io/instance-type", value="p5.48xl"),
        {"VER067", "VER069"},
    ),
    ("InfiniBand", resource(DECODE, "rdma/ib", "1"), {"VER068"}),
    ("other replicas than allocated", put(PREFILL, "spec", "replicas", value=3), {"VER069"}),
    # transfer
    ("decode has no connector", argument(DECODE, "--kv-transfer-config"), {"EFA017", "VER092"}),
    ("no EFA", resource(PREFILL, EFA, None), {"EFA001", "VER069"}),
    (
        "NIXL's default backend",
        argument(
            PREFILL, "--kv-transfer-config", '--kv-transfer-config={"kv_connector":"NixlConnector","kv_role":"kv_both"}'
        ),
        {"EFA013", "VER059", "VER092"},
    ),
    ("memory is not locked", in_vllm(DECODE, "securityContext", value={}), {"VER073"}),
    (
        "a literal side channel",
        set_env(DECODE, "VLLM_NIXL_SIDE_CHANNEL_HOST", "0.0.0.0"),
        {"VER074"},
    ),
    ("another block size", argument(DECODE, "--block-size", "--block-size=64"), {"EFA010", "VER092"}),
    ("another zone", in_pod(DECODE, "nodeSelector", "topology.kubernetes.io/zone", value="us-east-1b"), {"VER076"}),
    (
        "no zone",
        both(
            in_pod(DECODE, "nodeSelector", "topology.kubernetes.io/zone", value=None),
            in_pod(PREFILL, "nodeSelector", "topology.kubernetes.io/zone", value=None),
        ),
        {"VER076"},
    ),
    # scheduler
    ("another file", put(EPP_MAP, "data", value={"x.yaml": "a: 1"}), {"VER080"}),
    ("no YAML", put(EPP_MAP, "data", "plugins.yaml", value="a: [b"), {"EPP003"}),
    ("another kind", plugins(lambda config: config.update(kind="Config")), {"EPP003"}),
    (
        "a reference to nothing",
        plugins(lambda config: config["schedulingProfiles"][0]["plugins"][0].update(pluginRef="x")),
        {"EPP003"},
    ),
    ("two plugins of one name", plugins(lambda config: config["plugins"].append({"type": "queue-scorer"})), {"EPP003"}),
    (
        "the handler before its decider",
        plugins(lambda config: config["plugins"].insert(0, config["plugins"].pop())),
        {"EPP003"},
    ),
    ("no decider", plugins(lambda config: plugin(config, "pd-profile-handler").update(parameters={})), {"EPP003"}),
    ("no decode profile", plugins(lambda config: config["schedulingProfiles"].pop()), {"EPP003"}),
    ("no feature gate", plugins(lambda config: config.pop("featureGates")), {"EPP003"}),
    ("an unknown feature gate", plugins(lambda config: config["featureGates"].append("fast")), {"EPP003"}),
    (
        "an unknown plugin type",
        plugins(lambda config: plugin(config, "prefill-header-handler").update(type="header")),
        {"EPP003"},
    ),
    (
        "parameters of an older scheduler",
        plugins(lambda config: plugin(config, "pd-profile-handler")["parameters"].update(threshold=0)),
        {"EPP003"},
    ),
    (
        "blockSize alone",
        plugins(lambda config: plugin(config, "prefix-cache-scorer")["parameters"].update(blockSize=64)),
        {"EPP003"},
    ),
    (
        "no prefill pods",
        both(remove(PREFILL, PREFILL_MONITOR)),
        {"EPP003", "VER069", "VER092"},
    ),
    # engine
    (
        "another program",
        in_vllm(DECODE, "command", value=["python", "-m", "server"]),
        {"VER004", "VER031", "VER069", "VER087", "VER092"},
    ),
    (
        "an unknown flag",
        argument(DECODE, "--max-model-len", "--max-model-length=32000"),
        {"EFA018", "VER092", "VLLM001"},
    ),
    ("a flag stands twice", argument(DECODE, "", "--tensor-parallel-size=4"), {"VER091", "VER092"}),
    ("another flag than in the file", argument(DECODE, "", "--enable-prefix-caching"), {"VER092"}),
    (
        "another served name",
        argument(DECODE, "--served-model-name", "--served-model-name=x", "--revision"),
        {"EFA018", "VER092", "VER104"},
    ),
]

WIDE: list[tuple[str, Change, set[str]]] = [
    ("too few pods", put(WIDE_DECODE, "spec", "leaderWorkerTemplate", "size", value=3), {"VER069", "VER092", "VER095"}),
    ("one rank for all", script(WIDE_DECODE, '="$start_rank"', "=0"), {"VER092", "VER096"}),
    ("no leader", script(WIDE_DECODE, '"$LWS_LEADER_ADDRESS"', "10.0.0.1"), {"VER092", "VER096"}),
    ("one backend of two is wrong", script(WIDE_DECODE, "LIBFABRIC", "UCX"), {"EFA013", "VER059", "VER092"}),
    ("half the EFA", resource(WIDE_DECODE, EFA, "8"), {"EFA007", "VER069"}),
    (
        "an affinity that any pod fills",
        in_pod(
            WIDE_DECODE,
            "affinity",
            "podAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
            0,
            "labelSelector",
            value={},
        ),
        {"VER076"},
    ),
    ("no affinity", in_pod(WIDE_DECODE, "affinity", value=None), {"VER076"}),
    (
        "affinity to other pods",
        in_pod(
            WIDE_DECODE,
            "affinity",
            "podAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
            0,
            "labelSelector",
            "matchLabels",
            "llm-d.ai/role",
            value="decode",
        ),
        {"VER076"},
    ),
    ("a leader without EFA", leader_without_efa, {"VER073", "VER097"}),
]


def test_the_good_directories_are_good(pd: Good, wide_ep: Good) -> None:
    assert pd.codes(lambda docs: None) == set()
    assert wide_ep.codes(lambda docs: None) == set()


@pytest.mark.parametrize(("change", "codes"), [pytest.param(change, codes, id=name) for name, change, codes in PD])
def test_a_fault_in_disaggregation_is_caught(pd: Good, change: Change, codes: set[str]) -> None:
    assert pd.codes(change) == codes


@pytest.mark.parametrize(("change", "codes"), [pytest.param(change, codes, id=name) for name, change, codes in WIDE])
def test_a_fault_in_wide_expert_parallelism_is_caught(wide_ep: Good, change: Change, codes: set[str]) -> None:
    assert wide_ep.codes(change) == codes


def test_every_rule_has_a_fault_that_it_catches() -> None:
    elsewhere = {"VER009", "VER077", "VER086", "VER098", "VER099", "VER100", "VER101", "VER102"}
    elsewhere |= {f"VER{number}" for number in range(116, 123)}  # what no lock shows: test_silent_faults
    # What specs show: tests/checks.
    elsewhere |= {"EFA008", "EFA015", "FIT007", "FIT012", "FIT013", "K8S004", "K8S005", "K8S008", "POD001"}
    elsewhere |= {"FIT017", "POD002", "VLLM034", "VER112", "VER113", "VER114", "VER115"}
    elsewhere |= {f"KVT00{number}" for number in range(1, 9)} | {"MOD026", "VLLM022"}
    load_plan_checks()
    known = {
        code
        for code, rule in RULES.items()
        if rule.subject in ("Rendered", "Servers", "Workload", "ModelServer", "Container", "Engine")
    }
    assert known - {code for _, _, codes in [*PD, *WIDE, *SILENT] for code in codes} <= elsewhere
