"""Good specs, as text and as data, and a reader that answers with the report."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from llmdgen.findings import SpecError
from llmdgen.spec.load import parse

SHORT = """\
apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata:
  name: gpt-oss-pd
spec:
  path: pd-disaggregation
  instanceTypes: [p5.48xlarge]
  model:
    name: openai/gpt-oss-120b
"""

ROLE: dict[str, Any] = {
    "replicas": 4,
    "parallelism": {"tensor": 1, "data": 2, "dataLocal": 1, "workers": 2, "expert": True},
    "instanceType": "p5en.48xlarge",
    "efa": "auto",
    "startup": "45m",
    "drain": "120s",
    "rollout": {"maxUnavailable": 1, "maxSurge": 0},
    "resources": {"cpu": "8", "memory": "64Gi", "shm": "16Gi"},
    "args": {"max-num-seqs": 256, "kv-transfer-config": {"kv_role": None, "kv_buffer_size": 1.5}},
    "env": {"VLLM_LOGGING_LEVEL": "INFO"},
}

POD: dict[str, Any] = {
    "affinity": None,
    "priorityClassName": "serving",
    "terminationGracePeriodSeconds": 60,
    "containers": [{"name": "vllm", "env": [{"name": "A", "$patch": "delete"}], "args": ["a\nb"], "tty": None}],
    "volumes": [{"name": "shm", "emptyDir": {"sizeLimit": "1Gi"}}],
}

FULL: dict[str, Any] = {
    "apiVersion": "llmdgen.dev/v1alpha1",
    "kind": "WellLitPath",
    "metadata": {"name": "gpt-oss-pd", "namespace": "llm-d-pd"},
    "spec": {
        "path": "pd-disaggregation",
        "with": ["tiered-prefix-cache"],
        "release": "v0.5.1",
        "platform": "hyperpod",
        "instanceTypes": ["p5.48xlarge", "ml.p6-b200.48xlarge"],
        "images": {
            "registry": "registry.example.com/llm-d",
            "pullSecrets": ["ecr"],
            "modelServer": "llm-d-aws",
            "scheduler": "registry.example.com/epp:v1",
            "sidecar": "registry.example.com/sidecar:v1",
        },
        "model": {
            "name": "openai/gpt-oss-120b",
            "uri": "hf://openai/gpt-oss-120b",
            "revision": "b5c939de8f754692c1647ca79fbf85e8c1e70f8a",
            "size": "250Gi",
            "authSecretName": "llm-d-hf-token",
            "config": "./config.json",
        },
        "gateway": {
            "provider": "istio",
            "idleTimeout": "1h",
            "loadBalancer": {
                "scheme": "internal",
                "targetType": "ip",
                "class": "service.k8s.aws/nlb",
                "annotations": {"a.b/c": "d"},
            },
        },
        "prefill": {**ROLE, "pod": {}},
        "decode": {**ROLE, "efa": 4, "pod": POD},
        "engine": {"args": {"max-model-len": 32000}, "env": {"A": "b"}},
        "transfer": {"backend": "LIBFABRIC", "crossLayersBlocks": False},
        "cache": {
            "cpu": {"connector": "lmcache", "size": "100Gi"},
            "disk": {"path": "/mnt/k8s-disks/0/kv", "size": "2Ti"},
            "storage": {"claim": "kv-cache", "size": "18Ti"},
        },
        "scheduler": {"replicas": 1, "nonCachedTokens": 16, "weights": {"queue-scorer": 2, "prefix-cache-scorer": 0.5}},
        "monitoring": {"labels": {"release": "kube-prometheus-stack"}},
        "cluster": {
            "efaPerNode": 32,
            "zone": "us-east-1a",
            "nodeSelector": {"karpenter.sh/nodepool": "gpu"},
            "tolerations": [
                {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
                {"key": "team", "operator": "Equal", "value": "a"},
            ],
        },
        "values": {"router": {"a": None, "b": [1, None]}},
        "suppress": [{"code": "NLB004", "reason": "the account has no such limit"}],
    },
}


Report = Callable[..., str]


@pytest.fixture
def short() -> str:
    """The shortest good spec."""
    return SHORT


@pytest.fixture
def full() -> dict[str, Any]:
    """A good spec that sets every key, to be changed at will."""
    return copy.deepcopy(FULL)


@pytest.fixture
def report() -> Report:
    """The findings of a text, or of data, one a line; empty where it is good."""

    def read(spec: str | dict[str, Any]) -> str:
        text = spec if isinstance(spec, str) else json.dumps(spec, indent=1)
        try:
            parse(text, "spec.yaml")
        except SpecError as error:
            return str(error)
        return ""

    return read


@pytest.fixture
def report_of(full: dict[str, Any], report: Report) -> Report:
    """The findings of the full spec with one value changed: `report_of("spec.decode.efa", -1)`."""

    def change(route: str, value: Any) -> str:
        node: Any = full
        *parents, last = route.split(".")
        for key in parents:
            node = node[key]
        if value is DELETED:
            del node[last]
        else:
            node[last] = value
        return report(full)

    return change


DELETED = object()
