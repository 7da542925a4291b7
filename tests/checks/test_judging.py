"""Objects of a plan are judged where the spec decides about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llmdgen import api, registry
from llmdgen.checks import load_plan_checks
from llmdgen.findings import Located, Severity
from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, Rule, found
from tests.specs import plan_of

PD = "pd-disaggregation"
SMALL = "meta-llama/Llama-3.1-8B-Instruct"
EFA, IB = "vpc.amazonaws.com/efa", "rdma/ib"


def judged(path: str = PD, **spec: Any) -> list[Located]:
    """What is said of a small disaggregated deployment, withdrawn images left out."""
    sections: dict[str, Any] = {"engine": {"args": {"max-model-len": 8192}}, **spec}
    found = api.check(plan_of(path, SMALL, "p5.48xlarge", **sections))
    return [each for each in found if each.finding.code != "IMG002"]


def said(path: str = PD, **spec: Any) -> list[tuple[str, str]]:
    """Code and route with dots of each finding."""
    return [(each.finding.code, ".".join(map(str, each.finding.at))) for each in judged(path, **spec)]


def in_vllm(**fields: Any) -> dict[str, Any]:
    """A part of decode's PodSpec about the container of vLLM."""
    return {"decode": {"pod": {"containers": [{"name": "vllm", **fields}]}}}


def test_a_sound_spec_has_sound_objects() -> None:
    assert said() == []


@pytest.mark.parametrize(
    ("fields", "code", "inside"),
    [
        ({"livenessProbe": {"httpGet": {"path": "/healthz"}}}, "VER026", "livenessProbe.httpGet.path"),
        ({"startupProbe": {"failureThreshold": 3}}, "VER027", "startupProbe.failureThreshold"),
        ({"image": "ghcr.io/llm-d/llm-d-cuda:v0.5.1"}, "VER051", "image"),
        ({"image": "ghcr.io/llm-d/llm-d-aws:latest"}, "VER050", "image"),
        ({"env": [{"name": "NCCL_PROTO", "value": "simple"}]}, "EFA020", "env.0.value"),
        ({"env": [{"name": "FI_PROVIDER", "value": "tcp"}]}, "EFA019", "env.0.value"),
        ({"env": [{"name": "VLLM_LOGING_LEVEL", "value": "INFO"}]}, "VLLM008", "env.0.value"),
        ({"env": [{"name": "A", "value": "$(NOWHERE)"}]}, "K8S005", "env.0.value"),
        ({"resources": {"limits": {EFA: "40"}, "requests": {EFA: "40"}}}, "EFA003", f"resources.limits.{EFA}"),
        (
            {"resources": {"limits": {IB: "1"}, "requests": {IB: "1"}}},
            "VER068",
            f"resources.limits.{IB}",
        ),
        ({"volumeMounts": [{"name": "caches", "mountPath": "/usr"}]}, "VER103", "volumeMounts.0.mountPath"),
    ],
)
def test_a_part_of_a_pod_is_judged_at_its_line(fields: dict[str, Any], code: str, inside: str) -> None:
    assert (code, f"spec.decode.pod.containers.0.{inside}") in said(**in_vllm(**fields))


def test_flags_that_a_part_of_a_pod_replaces_are_judged_there() -> None:
    arguments = [SMALL, "--port", "8200", "--served-model-name", SMALL, "--max-num-seq", "2"]
    assert ("VLLM001", "spec.decode.pod.containers.0.args") in said(**in_vllm(args=arguments))


@pytest.mark.parametrize(
    ("spec", "code", "at"),
    [
        ({"cluster": {"tolerations": [{"key": "a"}]}}, "K8S008", "spec.cluster.tolerations.0"),
        ({"cluster": {"efaPerNode": 0}}, "EFA001", "spec.cluster.efaPerNode"),
        ({"transfer": {"backend": "UCX"}}, "EFA013", "spec.transfer.backend"),
        ({"decode": {"args": {"block-size": 64}}}, "EFA010", "spec.decode.args.block-size"),
        ({"engine": {"env": {"NCCL_PROTO": "simple"}}}, "EFA020", "spec.engine.env.NCCL_PROTO"),
        ({"decode": {"resources": {"cpu": "999"}}}, "FIT001", "spec.decode.resources.cpu"),
        ({"decode": {"resources": {"memory": "20Gi", "shm": "20Gi"}}}, "FIT006", "spec.decode.resources.shm"),
        ({"model": {"size": "10Gi"}}, "MOD013", "spec.model.size"),
    ],
)
def test_a_field_of_the_spec_is_judged_at_its_line(spec: dict[str, Any], code: str, at: str) -> None:
    assert (code, at) in said(**spec)


def test_one_finding_of_both_roles_is_said_once() -> None:
    assert said(cluster={"tolerations": [{"key": "a"}]}) == [("K8S008", "spec.cluster.tolerations.0")]
    assert said(transfer={"backend": "UCX"}) == [("EFA013", "spec.transfer.backend")]


def test_a_flag_that_is_llmdgens_is_one_error_and_not_all_that_follows_from_it() -> None:
    assert said(decode={"args": {"port": 9000}}) == [("VLLM007", "spec.decode.args.port")]
    assert said(decode={"args": {"tensor-parallel-size": 2}}) == [
        ("VLLM007", "spec.decode.args.tensor-parallel-size"),
    ]


@pytest.fixture
def names_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that finds fault with a place that no field of a spec decides about."""

    def check(servers: Servers) -> Iterator[Draft]:
        for each in servers.of_kind("ServiceAccount"):
            yield found("metadata", "name", says="it is wrong", fix="change it", of=each)

    rule = Rule("VER999", Severity.ERROR, "wrong", "Fails: all.", check, Servers.__name__)
    load_plan_checks()
    looking = registry._LOOKING_AT
    monkeypatch.setitem(looking, rule.subject, [*looking[rule.subject], rule])


@pytest.mark.usefixtures("names_are_wrong")
def test_what_no_field_decides_about_is_said_of_the_object_at_the_path() -> None:
    (only,) = judged()
    assert only.finding.at == ("spec", "path")
    assert only.finding.says == "ServiceAccount/demo metadata.name: it is wrong"
    assert only.finding.of == ""
    assert only.place.line == judged()[0].place.line > 1
