"""`llmdgen images`: what a cluster pulls, as a list, as JSON, and as commands that fill a registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import SPEC, Llmdgen

MODEL_SERVER = "public.ecr.aws/deep-learning-containers/vllm:0.26.0-gpu-py312-cu130-ubuntu22.04-ec2"
SIDECAR = "ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.10.0"
SCHEDULER = "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0"
CHART = "oci://ghcr.io/llm-d/charts/llm-d-router-gateway"
DIGEST = f"sha256:{'a' * 64}"


def images(**fields: str) -> str:
    """The spec with these fields of spec.images."""
    return SPEC + f"  images: {json.dumps(fields)}\n"


def test_each_image_stands_once_and_the_chart_behind_them(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("images", "chat.yaml")
    assert answer.code == 0
    assert answer.out.splitlines() == [SIDECAR, SCHEDULER, MODEL_SERVER, f"{CHART}:v0.10.0"]


def test_several_specs_name_each_image_once_and_every_user(llmdgen: Llmdgen, spec: Path) -> None:
    spec.with_name("plain.yaml").write_text(
        SPEC.replace("name: chat", "name: plain").replace("pd-disaggregation", "inference-scheduling")
    )
    old = SPEC.replace("name: chat", "name: old").replace("  path:", "  release: v0.6.0\n  path:")
    spec.with_name("old.yaml").write_text(old)
    answer = llmdgen("images", "plain.yaml", "chat.yaml", "old.yaml", "--format", "json")
    assert answer.code == 0
    found = {each["reference"]: each for each in json.loads(answer.out)}
    assert list(found) == [
        "ghcr.io/llm-d/llm-d-aws:v0.6.0",
        "ghcr.io/llm-d/llm-d-inference-scheduler:v0.7.0",
        SIDECAR,
        SCHEDULER,
        "ghcr.io/llm-d/llm-d-routing-sidecar:v0.7.1",
        MODEL_SERVER,
        f"{CHART}:v0.10.0",
        "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool:v1.4.0",
    ]
    assert found[MODEL_SERVER] == {
        "reference": MODEL_SERVER,
        "upstream": MODEL_SERVER,
        "usedBy": ["decode", "prefill"],
        "kind": "image",
        "withdrawn": None,
        "rebuild": None,
    }
    assert found[f"{CHART}:v0.10.0"]["kind"] == "chart"
    assert found["ghcr.io/llm-d/llm-d-inference-scheduler:v0.7.0"]["rebuild"].startswith("github:llm-d/llm-d-router@")


def test_copy_fills_the_registry_that_the_spec_names(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(images(registry="registry.example.com:5000/team/llm-d", modelServer="llm-d-aws"))
    assert llmdgen("images", "chat.yaml", "--format", "copy").out.splitlines() == [
        f"skopeo copy --all docker://ghcr.io/llm-d/{name} docker://registry.example.com:5000/team/llm-d/{name}"
        for name in ("llm-d-aws:v0.9.0", SIDECAR.rpartition("/")[2], SCHEDULER.rpartition("/")[2])
    ] + [f"helm pull {CHART} --version v0.10.0"]


def test_copy_without_a_registry_asks_the_shell_for_it(llmdgen: Llmdgen, spec: Path) -> None:
    first = llmdgen("images", "chat.yaml", "--format", "copy").out.splitlines()[0]
    assert first == f'skopeo copy --all docker://{SIDECAR} docker://"$REGISTRY"/{SIDECAR.rpartition("/")[2]}'


@pytest.mark.parametrize("registry", ['"$REGISTRY"', "registry.example.com/llm-d"])
def test_what_is_withdrawn_is_built_and_not_copied(llmdgen: Llmdgen, spec: Path, registry: str) -> None:
    text = SPEC.replace("  path:", "  release: v0.5.1\n  path:")
    spec.write_text(text + ("" if "$" in registry else f"  images: {{registry: {registry}}}\n"))
    lines = llmdgen("images", "chat.yaml", "--format", "copy").out.splitlines()
    assert [line for line in lines if line.startswith("skopeo")] == [
        f"skopeo copy --all docker://ghcr.io/llm-d/llm-d-aws:v0.5.1 docker://{registry}/llm-d-aws:v0.5.1"
    ]
    gone = [line for line in lines if line.startswith("# ")]
    assert len(gone) == 2
    assert f": build {registry}/llm-d-inference-scheduler:v0.6.0 from github:llm-d/llm-d-router@v0.6.0 " in gone[0]
    assert f": build {registry}/llm-d-routing-sidecar:v0.6.0 from github:llm-d/llm-d-router@v0.6.0 " in gone[1]


def test_a_copy_by_name_and_tag_is_copied_and_the_specs_own_image_is_not(llmdgen: Llmdgen, spec: Path) -> None:
    mirror, patched = f"mirror.example.com/{SIDECAR.rpartition('/')[2]}", "mirror.example.com/llm-d-aws:v0.9.0-patched"
    pinned = f"mirror.example.com/llm-d-router-endpoint-picker@{DIGEST}"
    spec.write_text(images(modelServer=patched, sidecar=mirror, scheduler=pinned))
    assert llmdgen("images", "chat.yaml", "--format", "copy").out.splitlines()[:-1] == [
        f"# {patched} is the spec's own",
        f"skopeo copy --all docker://{SIDECAR} docker://{mirror}",
        f"# {pinned} is the spec's own",
    ]
    listed = json.loads(llmdgen("images", "chat.yaml", "--format", "json").out)
    assert {each["reference"]: each["upstream"] for each in listed[:-1]} == {
        patched: None,
        mirror: SIDECAR,
        pinned: None,
    }


def test_containers_of_the_specs_own_are_pulled_too(llmdgen: Llmdgen, spec: Path) -> None:
    logs = "registry.example.com/logs:1.2"
    pod = {"containers": [{"name": "logs", "image": logs}]}
    spec.write_text(SPEC + f"  decode: {{pod: {json.dumps(pod)}}}\n")
    listed = json.loads(llmdgen("images", "chat.yaml", "--format", "json").out)
    assert [each["usedBy"] for each in listed if each["reference"] == logs] == [["decode"]]


def test_what_tokenizes_for_the_scheduler_is_pulled(llmdgen: Llmdgen, spec: Path) -> None:
    text = SPEC.replace("pd-disaggregation", "precise-prefix-cache").replace("openai/gpt-oss-120b", "Qwen/Qwen3-32B")
    spec.write_text(text.replace("  path:", "  release: v0.6.0\n  path:"))
    assert "ghcr.io/llm-d/llm-d-uds-tokenizer:v0.7.0" in llmdgen("images", "chat.yaml").out
    spec.write_text(text)
    assert "tokenizer" not in llmdgen("images", "chat.yaml").out, "v0.9.0 asks the model servers"


def test_a_spec_with_errors_lists_nothing(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(images(modelServer="llm-d-cuda"))
    answer = llmdgen("images", "chat.yaml")
    assert (answer.code, answer.out) == (1, "")
    assert "chat.yaml:13:27: error IMG001" in answer.err
