"""Specs changed one thing at a time: the exact lines, and what they do to a deployment that runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmdgen.diff.fold import difference
from llmdgen.diff.text import write

from .conftest import PD, changed, compared, side

HERE = Path(__file__).parent
LMCACHE = {"connector": "lmcache", "size": "50Gi"}
STORED = {"cpu": LMCACHE, "storage": {"claim": "kv-cache", "size": "18Ti"}}
TIERED = changed(
    PD,
    {
        "spec.path": "tiered-prefix-cache",
        "spec.gateway": {"provider": "istio"},
        "spec.model.name": "Qwen/Qwen3-32B",
        "spec.engine": None,
        "spec.cache": STORED,
    },
)
WIDE = changed(
    PD,
    {
        "spec.path": "wide-ep",
        "spec.model.name": "deepseek-ai/DeepSeek-R1-0528",
        "spec.instanceTypes": ["p5en.48xlarge"],
    },
)
EPLB = {"window_size": 500, "step_interval": 3000, "log_balancedness": False, "num_redundant_experts": 32}
CROSS_ZONE = {
    "service.beta.kubernetes.io/aws-load-balancer-attributes": "load_balancing.cross_zone.enabled=true",
}
RESERVED = [{"key": "reserved", "operator": "Equal", "value": "inference", "effect": "NoSchedule"}]
SIXTEEN_RANKS = {"tensor": 1, "data": 32, "dataLocal": 8, "workers": 4, "expert": True}

RANGES = {"service.beta.kubernetes.io/load-balancer-source-ranges": "198.51.100.0/24"}
SILENT = [{"code": "MOD016", "reason": "known, and measured"}]
WHAT = (
    "llm-d v0.5.1, pd-disaggregation, openai/gpt-oss-120b, prefill 4 x TP1, decode 1 x TP4, "
    "gateway istio with an internal load balancer"
)
ON_A_CLAIM = changed(PD, {"spec.model.uri": "pvc://models/gpt-oss-120b"})
PD9 = changed(PD, {"spec.release": "v0.9.0"})
OVER_TCP = changed(PD, {"spec.transfer": {"backend": "UCX"}, "spec.decode.efa": 0, "spec.prefill.efa": 0})

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "more-decode-replicas": (PD, {"spec.decode.replicas": 2}),
    "fewer-prefill-replicas": (PD, {"spec.prefill.replicas": 3}),
    "wider-decode": (PD, {"spec.decode.parallelism.tensor": 8}),
    "flag-with-a-value": (PD, {"spec.decode.args.max-num-seqs": 64}),
    "switch": (PD, {"spec.decode.args.enable-prefix-caching": False}),
    "flag-of-both-roles": (PD, {"spec.engine.args.gpu-memory-utilization": 0.85}),
    "shorter-context": (PD, {"spec.engine.args.max-model-len": 16000}),
    "flag-no-longer-set": (PD, {"spec.engine.args.max-model-len": None}),
    "json-flag-by-key": (WIDE, {"spec.decode.args.eplb-config": EPLB}),
    "block-size": (PD, {"spec.engine.args.block-size": 64}),
    "environment": (PD, {"spec.decode.env.VLLM_LOGGING_LEVEL": "DEBUG"}),
    "cpu": (PD, {"spec.decode.resources.cpu": "24"}),
    "memory": (PD, {"spec.prefill.resources.memory": "96Gi"}),
    "shared-memory": (PD, {"spec.decode.resources.shm": "32Gi"}),
    "efa": (PD, {"spec.decode.efa": 8}),
    "model": (PD, {"spec.model.name": "openai/gpt-oss-20b"}),
    "model-on-a-claim": (PD, {"spec.model.uri": "pvc://models/gpt-oss-120b"}),
    "model-size": (PD, {"spec.model.size": "300Gi"}),
    "secret": (PD, {"spec.model.authSecretName": "other-token"}),
    "no-secret": (PD, {"spec.model.authSecretName": None}),
    "name": (PD, {"metadata.name": "talk"}),
    "namespace": (PD, {"metadata.namespace": "serving"}),
    "load-balancer-scheme": (PD, {"spec.gateway.loadBalancer.scheme": "internet-facing"}),
    "load-balancer-targets": (PD, {"spec.gateway.loadBalancer.targetType": "instance"}),
    "no-load-balancer": (PD, {"spec.gateway.loadBalancer": None}),
    "load-balancer-annotation": (PD, {"spec.gateway.loadBalancer.annotations": CROSS_ZONE}),
    "gateway-provider": (PD, {"spec.gateway.provider": "kgateway"}),
    "scheduler-weight": (PD, {"spec.scheduler.weights": {"queue-scorer": 3}}),
    "scheduler-parameter": (PD, {"spec.scheduler.nonCachedTokens": 32}),
    "scheduler-replicas": (PD, {"spec.scheduler.replicas": 2}),
    "scheduler-image": (PD, {"spec.values.router": {"inferenceExtension": {"image": {"tag": "v0.6.1"}}}}),
    "pool-port": (PD, {"spec.values.router": {"inferencePool": {"targetPorts": [{"number": 8001}]}}}),
    "zone": (PD, {"spec.cluster.zone": "us-east-1a"}),
    "node-selector": (PD, {"spec.cluster.nodeSelector": {"pool": "inference"}}),
    "toleration": (PD, {"spec.cluster.tolerations": RESERVED}),
    "instance-type": (PD, {"spec.instanceTypes": ["p5en.48xlarge"]}),
    "platform": (PD, {"spec.platform": "hyperpod"}),
    "composed-path": (PD, {"spec.with": ["tiered-prefix-cache"]}),
    "path": (PD, {"spec.path": "inference-scheduling"}),
    "transfer-backend": (PD, {"spec.transfer": {"backend": "UCX"}}),
    "transfer-backend-back": (OVER_TCP, {"spec.transfer": None, "spec.decode.efa": None, "spec.prefill.efa": None}),
    "release": (PD, {"spec.release": "v0.6.0"}),
    "router-weight": (PD9, {"spec.scheduler.weights": {"token-load-scorer": 3}}),
    "router-failure-mode": (PD9, {"spec.values.router": {"router": {"inferencePool": {"failureMode": "FailClose"}}}}),
    "router-resources": (
        PD9,
        {"spec.values.router": {"router": {"epp": {"resources": {"requests": {"cpu": "8"}}}}}},
    ),
    "router-monitoring": (PD9, {"spec.values.router": {"router": {"monitoring": {"interval": "30s"}}}}),
    "suppressed-finding": (PD, {"spec.suppress": SILENT}),
    "instance-type-of-a-role": (PD, {"spec.prefill.instanceType": "p5en.48xlarge"}),
    "more-replicas-of-other-size": (PD, {"spec.decode": {"replicas": 4, "parallelism": {"tensor": 2}}}),
    "load-balancer-for-some": (PD, {"spec.gateway.loadBalancer": {"scheme": "internet-facing", "annotations": RANGES}}),
    "failure-mode": (PD, {"spec.values.router": {"inferenceExtension": {"failureMode": "FailOpen"}}}),
    "another-claim": (ON_A_CLAIM, {"spec.model.uri": "pvc://weights/gpt-oss-120b"}),
    "namespace-with-a-claim": (ON_A_CLAIM, {"metadata.namespace": "serving"}),
    "another-claim-of-stored-blocks": (TIERED, {"spec.cache.storage.claim": "kv-cache-2"}),
    "tier-removed": (TIERED, {"spec.cache.storage": None}),
    "precise-routing": (TIERED, {"spec.path": "precise-prefix-cache", "spec.cache": None}),
    "hash-seed": (TIERED, {"spec.engine.env": {"PYTHONHASHSEED": "7"}}),
    "storage-size": (TIERED, {"spec.cache.storage.size": "36Ti"}),
    "tier-connector": (TIERED, {"spec.cache": {"cpu": {"connector": "offloading", "size": "50Gi"}}}),
    "tensor-parallelism-of-stored-blocks": (TIERED, {"spec.decode.parallelism.tensor": 4}),
    "nodes-of-a-replica": (WIDE, {"spec.decode.parallelism": SIXTEEN_RANKS}),
    "replicas-of-a-group": (WIDE, {"spec.decode.replicas": 2}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_says_what_it_changes_and_what_follows(case: str, golden: Callable[[Path, str], None]) -> None:
    base, changes = CASES[case]
    found = compared(base, changed(base, changes))
    assert not found.is_empty
    golden(HERE / "cases" / f"{case}.txt", write(found))


@pytest.mark.parametrize("case", CASES)
def test_the_way_back_changes_the_same_facts(case: str) -> None:
    base, changes = CASES[case]
    other = changed(base, changes)
    there, back = compared(base, other), compared(other, base)
    assert [(line.subjects, line.name, line.old, line.new) for part in there.sections for line in part.lines] == [
        (line.subjects, line.name, line.new, line.old) for part in back.sections for line in part.lines
    ]


@pytest.mark.parametrize("spec", [PD, TIERED, WIDE], ids=["pd", "tiered", "wide"])
def test_a_spec_does_not_differ_from_itself(spec: dict[str, Any]) -> None:
    found = compared(spec, spec)
    assert found.is_empty
    assert found.compared == 1


def test_changes_alike_on_several_targets_are_said_once() -> None:
    both = changed(PD, {"spec.instanceTypes": ["p5.48xlarge", "p5en.48xlarge"]})
    found = compared(both, changed(both, {"spec.decode.args.seed": 7}))
    assert [section.targets for section in found.sections] == [("p5.48xlarge", "p5en.48xlarge")]


def test_what_differs_between_targets_has_sections_of_its_own() -> None:
    both = changed(PD, {"spec.instanceTypes": ["p5.48xlarge", "p5en.48xlarge"]})
    found = compared(both, changed(both, {"spec.decode.replicas": 2}))
    assert [section.targets for section in found.sections] == [
        ("p5.48xlarge", "p5en.48xlarge"),
        ("p5.48xlarge",),
        ("p5en.48xlarge",),
    ]


def test_targets_that_one_side_lacks_are_a_line_each() -> None:
    both = changed(PD, {"spec.instanceTypes": ["p5.48xlarge", "p5en.48xlarge"]})
    other = changed(PD, {"spec.instanceTypes": ["p5.48xlarge", "p6-b200.48xlarge"]})
    assert write(compared(both, other)) == (
        "size of chat on p5en.48xlarge: gone, it had nodes 1, GPUs 8, EFA interfaces 16, pods 5\n"
        "size of chat on p6-b200.48xlarge: new, nodes 1, GPUs 8, EFA interfaces 8, pods 5\n\n"
        f"- chat on p5en.48xlarge: removed ({WHAT})\n+ chat on p6-b200.48xlarge: added ({WHAT})\n"
        "  => costs: what was deployed from a removed directory runs on until `helmfile destroy` in it, as it was\n"
    )


def test_a_change_of_six_targets_is_said_once() -> None:
    types = ["p4d.24xlarge", "p5.48xlarge", "p5e.48xlarge", "p5en.48xlarge", "p6-b200.48xlarge", "p6-b300.48xlarge"]
    six = changed(PD, {"spec.instanceTypes": types})
    text = write(compared(six, changed(six, {"spec.decode.replicas": 2})))
    assert text.count("decode replicas: 1 -> 2 (+1)") == 1
    assert text.count("1 more node of its own type needed") == 1
    assert text.startswith("size of chat on p4d.24xlarge: nodes 2 -> 3, GPUs 16 -> 24")
    same = write(compared(six, changed(six, {"spec.decode.args.max-num-seqs": 64}))).partition("\n")[0]
    assert same == f"size of chat on {', '.join(types)}: as before"


def test_the_only_target_of_a_deployment_among_others_is_compared_whatever_it_is_called() -> None:
    other = side(changed(PD, {"metadata.name": "talk"}))
    moved = changed(PD, {"spec.instanceTypes": ["p5en.48xlarge"]})
    text = write(difference({**side(PD), **other}, {**side(moved), **other}))
    assert "  ~ prefill, decode instance type: p5.48xlarge -> p5en.48xlarge" in text
    assert "removed" not in text
    assert "talk" not in text


def test_a_target_whose_role_moves_is_the_same_target_though_it_is_called_otherwise() -> None:
    both = changed(PD, {"spec.instanceTypes": ["p5.48xlarge", "p6-b200.48xlarge"]})
    other = {"spec.prefill.instanceType": "p5en.48xlarge", "spec.decode.args.max-num-seqs": 64}
    text = write(compared(both, changed(both, other)))
    assert "  ~ prefill instance type: p5.48xlarge -> p5en.48xlarge" in text
    assert "  ~ prefill instance type: p6-b200.48xlarge -> p5en.48xlarge" in text
    assert text.count("+ decode --max-num-seqs: 64") == 1
    assert "removed" not in text


def test_a_size_written_in_another_unit_is_the_same_size() -> None:
    assert compared(changed(PD, {"spec.model.size": "250Gi"}), changed(PD, {"spec.model.size": "256000Mi"})).is_empty
