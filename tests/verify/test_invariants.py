"""Rules that need more than one fault in the good directory: other gateways, other nodes, other deployments."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from llmdgen.kube.workload import Manifest
from llmdgen.plain_yaml import load
from llmdgen.yaml_text import dump
from tests.verify.conftest import Docs, Good
from tests.verify.mutate import (
    DECODE,
    EFA,
    EPP,
    GATEWAY,
    GATEWAY_MAP,
    NLB,
    PREFILL,
    WIDE_DECODE,
    Change,
    both,
    plugins,
    pod,
    resource,
    vllm,
)

ANNOTATIONS = {f"{NLB}type": "external", f"{NLB}scheme": "internal"}
PARAMETERS: dict[str, tuple[str, dict[str, Any]]] = {
    "kgateway": (
        "gateway.kgateway.dev/v1alpha1 GatewayParameters",
        {"kube": {"service": {"type": "LoadBalancer", "extraAnnotations": ANNOTATIONS}}},
    ),
    "agentgateway-v2": (
        "agentgateway.dev/v1alpha1 AgentgatewayParameters",
        {"service": {"metadata": {"annotations": ANNOTATIONS}, "spec": {"type": "LoadBalancer"}}},
    ),
}


def select(docs: Docs, instance_type: str) -> None:
    for name in (PREFILL, DECODE):
        pod(docs, name)["nodeSelector"]["node.kubernetes.io/instance-type"] = instance_type


def with_gateway(good: Good, class_name: str, spec: dict[str, Any]) -> tuple[Manifest, ...]:
    """The good directory's objects behind another gateway class whose parameters object has that spec."""
    api_version, kind = PARAMETERS[class_name][0].split()
    group = api_version.partition("/")[0]
    parameters = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "parameters"}, "spec": spec}
    gateway = next(each for each in good.manifests if str(each) == GATEWAY)
    doc = load(dump(gateway.doc))
    doc["metadata"]["annotations"] = {}
    doc["spec"]["gatewayClassName"] = class_name
    doc["spec"]["infrastructure"] = {"parametersRef": {"group": group, "kind": kind, "name": "parameters"}}
    others = (each for each in good.manifests if str(each) not in (GATEWAY, GATEWAY_MAP))
    made = (
        structs.replace(gateway, doc=doc),
        structs.replace(gateway, api_version=api_version, kind=kind, name="parameters", doc=parameters),
    )
    return (*others, *made)


@pytest.mark.parametrize("class_name", PARAMETERS)
def test_annotations_in_the_providers_parameters_arrive(pd: Good, class_name: str) -> None:
    assert pd.judge(with_gateway(pd, class_name, PARAMETERS[class_name][1])) == []


@pytest.mark.parametrize("class_name", PARAMETERS)
def test_a_cluster_ip_in_the_providers_parameters_is_caught(pd: Good, class_name: str) -> None:
    spec = load(dump(PARAMETERS[class_name][1]).replace("LoadBalancer", "ClusterIP"))
    assert {each.code for each in pd.judge(with_gateway(pd, class_name, spec))} == {"VER046"}


def test_annotations_of_the_parameters_object_itself_are_caught(pd: Good) -> None:
    manifests = with_gateway(pd, "kgateway", {"kube": {"service": {"type": "LoadBalancer"}}})
    manifests[-1].doc["metadata"]["annotations"] = dict(ANNOTATIONS)
    assert {each.code for each in pd.judge(manifests)} == {"VER045"}


def test_parameters_that_are_not_there_are_caught(pd: Good) -> None:
    assert {each.code for each in pd.judge(with_gateway(pd, "kgateway", {})[:-1])} == {"VER045"}


def test_idle_gpus_are_a_warning(pd: Good) -> None:
    found = pd.break_(resource(PREFILL, "memory", "600Gi"), {"allocation.yaml": ""})
    assert [(each.code, each.severity.value) for each in found] == [("FIT002", "warning")]
    assert "3 prefill pods fit" in found[0].says


def test_hyperpod_nodes_have_less_to_give(pd: Good) -> None:
    def on(name: str) -> Change:
        return both(lambda docs: select(docs, name), resource(DECODE, "cpu", "185"))

    # One pod takes a node for itself, and leaves half of its GPUs to nobody.
    assert pd.codes(on("p5.48xlarge"), {"allocation.yaml": ""}) == {"FIT002"}
    assert pd.codes(on("ml.p5.48xlarge"), {"allocation.yaml": ""}) == {"FIT001"}


def roles(good: Good) -> str:
    """allocation.yaml without its rows of nodes and its sums, which other tests are about."""
    return good.files["allocation.yaml"].partition("\nnodes:\n")[0] + "\n"


def test_efa_that_is_not_the_share_is_a_warning(pd: Good) -> None:
    text = roles(pd).replace("efaPerPod: 4\n", "efaPerPod: 2\n").replace("rule", "override")
    found = pd.break_(resource(PREFILL, EFA, "2"), {"allocation.yaml": text})
    assert [(each.code, each.severity.value) for each in found] == [("EFA007", "warning")]


def test_nodes_with_fewer_interfaces_have_smaller_shares(pd: Good) -> None:
    text = roles(pd).replace("efaPerNode: 32", "efaPerNode: 16")
    fewer = text.replace("efaPerPod: 4\n", "efaPerPod: 2\n").replace("efaPerPod: 16", "efaPerPod: 8")

    def change(docs: Docs) -> None:
        resource(PREFILL, EFA, "2")(docs)
        resource(DECODE, EFA, "8")(docs)

    assert pd.codes(change, {"allocation.yaml": fewer}) == set()
    assert pd.codes(lambda docs: None, {"allocation.yaml": text}) == {"EFA007", "EFA008", "VER069"}


def test_an_unknown_instance_type_is_said_once_for_each_role(pd: Good) -> None:
    found = pd.break_(lambda docs: select(docs, "p9.48xlarge"), {"allocation.yaml": ""})
    assert [each.code for each in found] == ["VER067", "VER067"]


def test_a_small_pod_gets_one_interface_where_nodes_have_less_than_one_a_gpu(pd: Good) -> None:
    def change(docs: Docs) -> None:
        select(docs, "p4d.24xlarge")
        resource(PREFILL, EFA, "1")(docs)
        resource(DECODE, EFA, "2")(docs)

    assert pd.codes(change, {"allocation.yaml": ""}) == {"EFA008"}


EVENTS = {
    "enable_kv_cache_events": True,
    "publisher": "zmq",
    "endpoint": "tcp://pd-router-epp.llm-d-pd.svc.cluster.local:5557",
    "topic": "kv@$(POD_IP)@openai/gpt-oss-120b",
}


def precise(size: int, seed: str) -> Change:
    parameters = {
        "tokenProcessorConfig": {"blockSize": size, "hashSeed": seed},
        "indexerConfig": {"tokenizersPoolConfig": {"modelName": "openai/gpt-oss-120b"}},
        "kvEventsConfig": {"zmqEndpoint": "tcp://*:5557", "topicFilter": "kv@", "discoverPods": False},
    }

    def change(config: dict[str, Any]) -> None:
        config["plugins"].insert(0, {"type": "precise-prefix-cache-scorer", "parameters": parameters})
        config["schedulingProfiles"][1]["plugins"].append({"pluginRef": "precise-prefix-cache-scorer", "weight": 3})

    return plugins(change)


def report_events(docs: Docs) -> None:
    for name in (PREFILL, DECODE):
        address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
        vllm(docs, name)["env"] += [address, {"name": "PYTHONHASHSEED", "value": "42"}]
        vllm(docs, name)["args"].append(f"--kv-events-config={json.dumps(EVENTS)}")


def test_precise_prefix_cache_agrees_with_vllm(pd: Good) -> None:
    def change(docs: Docs) -> None:
        precise(128, "42")(docs)
        report_events(docs)

    # The argument files know nothing of events, nor does the Service of their port.
    assert pd.codes(change) == {"VER092", "VER116"}


@pytest.mark.parametrize(("size", "seed"), [(64, "42"), (128, "")])
def test_another_block_size_or_seed_is_caught(pd: Good, size: int, seed: str) -> None:
    def change(docs: Docs) -> None:
        precise(size, seed)(docs)
        report_events(docs)

    assert pd.codes(change) == {"EPP005", "VER092", "VER116"}


def test_a_vllm_that_reports_nothing_is_caught(pd: Good) -> None:
    assert pd.codes(precise(128, "")) == {"EPP007"}


def test_required_affinity_with_expressions_keeps_pods_together(wide_ep: Good) -> None:
    def change(docs: Docs) -> None:
        affinity = pod(docs, WIDE_DECODE)["affinity"]["podAffinity"]
        term = affinity["requiredDuringSchedulingIgnoredDuringExecution"][0]
        term["labelSelector"] = {
            "matchExpressions": [{"key": "llm-d.ai/role", "operator": "In", "values": ["prefill", "decode"]}]
        }

    assert wide_ep.codes(change) == set()


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("    version: v1.3.1\n", "", {"VER098"}),
        ("version: v1.3.1", "version: v1.4.0", {"VER098"}),
        ("    needs:\n      - llm-d-pd/pd-router\n", "", {"VER099"}),
        ("namespace: llm-d-pd\n    chart: oci", "namespace: other\n    chart: oci", {"VER009", "VER018"}),
    ],
)
def test_faults_of_helmfile_yaml_are_caught(pd: Good, old: str, new: str, codes: set[str]) -> None:
    assert old in pd.files["helmfile.yaml"]
    text = pd.files["helmfile.yaml"].replace(old, new)
    assert {each.code for each in pd.judge(pd.manifests, {"helmfile.yaml": text})} == codes


def test_a_mirror_of_the_releases_image_is_the_releases(pd: Good) -> None:
    def change(docs: Docs) -> None:
        for name in (PREFILL, DECODE):
            vllm(docs, name)["image"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/llm-d-aws:v0.5.1"

    assert pd.codes(change) == set()


def test_the_first_difference_of_an_argument_file_is_named(pd: Good) -> None:
    text = pd.files["vllm/decode.args"]
    for changed, says in (
        (text.replace("32000", "16000"), "line 11 is --max-model-len=16000"),
        (text + "--x\n", "gets nothing more"),
        (text.replace("--max-model-len=32000\n", ""), "also gets --max-model-len=32000"),
    ):
        found = pd.break_(lambda docs: None, {"vllm/decode.args": changed})
        assert [each.code for each in found] == ["VER092"]
        assert says in found[0].says


def test_a_container_without_arguments_is_no_scheduler(pd: Good) -> None:
    def change(docs: Docs) -> None:
        tokenizer = {"name": "tokenizer-uds", "image": "ghcr.io/llm-d/llm-d-uds-tokenizer:v0.6.0"}
        pod(docs, EPP)["containers"].insert(0, tokenizer)

    assert pd.codes(change) == set()
