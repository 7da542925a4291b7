"""Every field of the spec does something: another value changes a rendered byte, or what a check says.

A field is a promise. One that changes nothing would be set by somebody who then believes that it is so.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from msgspec import inspect

from llmdgen import api
from llmdgen.findings import SpecError
from llmdgen.spec.load import parse
from llmdgen.spec.model import Document
from tests.spec.conftest import FULL

FIXED = {"apiVersion", "kind"}  # one value each
READ_FIRST = {"extends"}  # tests/spec/test_extends.py: gone before there is a spec
FOR_READERS = ("SUMMARY.md", "allocation.yaml", "topology.svg")
# A reason is for readers alone, and no engine keeps a claim from filling: its size is what the plan reckons with.
ONLY_FOR_READERS = {"spec.suppress[].reason", "spec.cache.storage.size"}
GONE = object()

ROLE = {"replicas": 2, "parallelism": {"tensor": 1}}
PD: dict[str, Any] = {
    "apiVersion": "llmdgen.dev/v1alpha1",
    "kind": "WellLitPath",
    "metadata": {"name": "chat"},
    "spec": {
        "path": "pd-disaggregation",
        "instanceTypes": ["p5.48xlarge"],
        "model": {"name": "openai/gpt-oss-120b"},
        "gateway": {"loadBalancer": {"scheme": "internet-facing"}},
        "prefill": ROLE,
        "decode": {**ROLE, "parallelism": {"tensor": 4}},
        "cluster": {
            "tolerations": [
                {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 60}
            ]
        },
        "suppress": [{"code": "GW004", "reason": "the security group admits our VPN only"}],
    },
}
WIDE: dict[str, Any] = {
    **PD,
    "spec": {
        "path": "wide-ep",
        "instanceTypes": ["p5.48xlarge"],
        "model": {"name": "deepseek-ai/DeepSeek-R1-0528"},
    },
}
TIERED: dict[str, Any] = {
    **PD,
    "spec": {
        "path": "tiered-prefix-cache",
        "instanceTypes": ["p5.48xlarge"],
        "model": {"name": "Qwen/Qwen3-32B"},
        "cache": {"cpu": {}, "disk": {}, "storage": {"claim": "kv-cache"}},
    },
}

# Fields of prefill and decode.
ROLES: dict[str, Any] = {
    "replicas": 3,
    "parallelism.tensor": 2,
    "parallelism.data": 8,
    "parallelism.dataLocal": 4,
    "parallelism.workers": 8,
    "parallelism.expert": True,
    "instanceType": "p5en.48xlarge",
    "efa": 2,
    "startup": "100m",
    "drain": "77s",
    "rollout.maxUnavailable": 2,
    "rollout.maxSurge": 2,
    "resources.cpu": "7",
    "resources.memory": "65Gi",
    "resources.shm": "9Gi",
    "args": {"max-num-seqs": 77},
    "env": {"VLLM_LOGGING_LEVEL": "DEBUG"},
    "pod": {"priorityClassName": "serving"},
}
CHANGES: dict[str, Any] = {
    "metadata.name": "talk",
    "metadata.namespace": "serving",
    "spec.path": "inference-scheduling",
    "spec.with": ["tiered-prefix-cache"],
    "spec.release": "v0.6.0",
    "spec.platform": "hyperpod",
    "spec.instanceTypes": ["p5en.48xlarge"],
    "spec.images.registry": "registry.example.com/llm-d",
    "spec.images.pullSecrets": ["mirror"],
    "spec.images.modelServer": "llm-d-aws",
    "spec.images.scheduler": "registry.example.com/llm-d-router-endpoint-picker:v0.10.0",
    "spec.images.sidecar": "registry.example.com/llm-d-router-disagg-sidecar:v0.10.0",
    "spec.model.name": "openai/gpt-oss-20b",
    "spec.model.uri": "pvc://models/gpt-oss-120b",
    "spec.model.revision": "b5c939de8f754692c1647ca79fbf85e8c1e70f8a",
    "spec.model.size": "333Gi",
    "spec.model.authSecretName": "llm-d-hf-token",
    "spec.model.config": "./config.json",
    "spec.gateway.provider": "agentgateway",
    "spec.gateway.idleTimeout": "20m",
    "spec.gateway.loadBalancer.scheme": "internal",
    "spec.gateway.loadBalancer.targetType": "instance",
    "spec.gateway.loadBalancer.class": "service.k8s.aws/nlb",
    "spec.gateway.loadBalancer.annotations": {"service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8"},
    **{f"spec.{role}.{field}": value for role in ("prefill", "decode") for field, value in ROLES.items()},
    "spec.engine.args": {"max-model-len": 7777},
    "spec.engine.env": {"VLLM_LOGGING_LEVEL": "DEBUG"},
    "spec.transfer.backend": "UCX",
    "spec.transfer.crossLayersBlocks": True,
    "spec.cache.cpu.connector": "lmcache",
    "spec.cache.cpu.size": "77Gi",
    "spec.cache.disk.path": "/mnt/nvme/kv",
    "spec.cache.disk.size": "99Ti",
    "spec.cache.storage.claim": "other",
    "spec.cache.storage.size": "77Gi",
    "spec.scheduler.replicas": 2,
    "spec.scheduler.nonCachedTokens": 77,
    "spec.scheduler.weights": {"active-request-scorer": 7},
    "spec.monitoring.labels": {"release": "kube-prometheus-stack"},
    "spec.cluster.efaPerNode": 16,
    "spec.cluster.zone": "us-east-1a",
    "spec.cluster.nodeSelector": {"team": "serving"},
    "spec.cluster.tolerations[].key": "c",
    "spec.cluster.tolerations[].operator": GONE,
    "spec.cluster.tolerations[].value": "d",
    "spec.cluster.tolerations[].effect": GONE,
    "spec.cluster.tolerations[].tolerationSeconds": 77,
    "spec.values.router": {"router": {"epp": {"flags": {"v": "4"}}}},
    "spec.suppress[].code": "IMG003",
    "spec.suppress[].reason": "nobody but us can reach it",
}
BASES = {
    "spec.cache.": TIERED,
    **{f"spec.{role}.parallelism.{key}": WIDE for role in ("prefill", "decode") for key in ("data", "workers")},
}


def routes(kind: inspect.Type, at: str = "") -> Iterator[str]:
    """The fields of a type that hold no further fields, as dotted keys of the file; [] is each entry of a list."""
    match kind:
        case inspect.Metadata(type=inner):
            yield from routes(inner, at)
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from routes(field.type, f"{at}.{field.encode_name}".lstrip("."))
        case inspect.UnionType(types=types) if structs := [each for each in types if _is_struct(each)]:
            yield from routes(structs[0], at)
        case inspect.VarTupleType(item_type=item) if _is_struct(item):
            yield from routes(item, f"{at}[]")
        case _:
            yield at


def _is_struct(kind: inspect.Type) -> bool:
    return isinstance(kind.type if isinstance(kind, inspect.Metadata) else kind, inspect.StructType)


FIELDS = [each for each in routes(inspect.type_info(Document)) if each not in FIXED | READ_FIRST]


def test_the_changes_are_of_the_fields_that_there_are() -> None:
    assert list(CHANGES) == FIELDS


def test_the_full_spec_of_these_tests_sets_every_field() -> None:
    assert leaves(FULL) == sorted(FIELDS)


def leaves(node: Any, at: str = "") -> list[str]:
    """The fields that a document sets, sorted; what is free inside a field is not looked at."""
    if at in FIELDS:
        return [at]
    if isinstance(node, list):
        return sorted({each for entry in node for each in leaves(entry, f"{at}[]")})
    if isinstance(node, dict):
        return sorted({each for key, value in node.items() for each in leaves(value, f"{at}.{key}".lstrip("."))})
    return []


def changed(document: dict[str, Any], route: str, value: Any) -> dict[str, Any]:
    """The document with another value at the route."""
    document = copy.deepcopy(document)
    node: Any = document
    *parents, last = route.split(".")
    for key in parents:
        node = node[key[:-2]][0] if key.endswith("[]") else node.setdefault(key, {})
    if value is GONE:
        del node[last]
    else:
        node[last] = value
    return document


@cache
def given(text: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The files of a spec, and what is said of it, without places."""
    try:
        spec = parse(text, "spec.yaml")[0]
        drafts = [api.draft(spec, target) for target in api.targets(spec)]
    except SpecError as error:
        return {}, [(each.finding.code, each.finding.says) for each in error.findings]
    files = {f"{index}/{name}": text for index, each in enumerate(drafts) for name, text in api.render(each).items()}
    return files, [(found.finding.code, found.finding.says) for each in drafts for found in api.check(each)]


@pytest.mark.parametrize("route", FIELDS)
def test_another_value_changes_a_byte_or_a_finding(route: str) -> None:
    base = next((base for prefix, base in BASES.items() if route.startswith(prefix)), PD)
    (before, said_before), (after, said_after) = (
        given(json.dumps(document)) for document in (base, changed(base, route, CHANGES[route]))
    )
    assert before, said_before
    if route not in ONLY_FOR_READERS:
        before, after = (
            {name: text for name, text in files.items() if not name.endswith(FOR_READERS)} for files in (before, after)
        )
    assert (before, said_before) != (after, said_after)
