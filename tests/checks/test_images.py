"""Images: variants by name, references with a tag or digest, the release's own, and what upstream no longer serves."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from llmdgen.checks.images import is_pinned
from llmdgen.facts import catalogue
from tests.specs import GPT_OSS, plan_of

REGISTRY = "registry.example.com/llm-d"
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
CODES = ("IMG", "VER05")


def said(path: str = "pd-disaggregation", release: str = "v0.9.0", **images: Any) -> list[tuple[str, tuple[Any, ...]]]:
    """Codes and places of what is said of the images."""
    plan = plan_of(path, GPT_OSS, release=release, images=images)
    findings = [each.finding for each in api.check(plan)]
    return [(each.code, each.at) for each in findings if each.code.startswith(CODES)]


@pytest.mark.parametrize("release", catalogue.release_names())
def test_every_variant_of_a_release_passes_by_its_name_and_in_another_registry(release: str) -> None:
    for name, variant in catalogue.release(release).model_servers.items():
        assert said(release=release, modelServer=name, registry=REGISTRY) == []
        copy = f"{REGISTRY}/{variant.image.rpartition('/')[2]}"
        assert said(release=release, modelServer=copy, registry=REGISTRY) == []


def test_a_name_that_is_no_variant_is_one_error() -> None:
    assert said(modelServer="llm-d-cuda") == [("IMG001", ("spec", "images", "modelServer"))]


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("ghcr.io/llm-d/llm-d-aws:v0.9.0", True),
        (f"ghcr.io/llm-d/llm-d-aws@{DIGEST}", True),
        (f"ghcr.io/llm-d/llm-d-aws:latest@{DIGEST}", True),
        ("localhost:5000/llm-d-aws:v0.9.0", True),
        ("ghcr.io/llm-d/llm-d-aws", False),
        ("localhost:5000/llm-d-aws", False),
        ("ghcr.io/llm-d/llm-d-aws:latest", False),
        ("ghcr.io/llm-d/llm-d-aws:Main", False),
        ("ghcr.io/llm-d/llm-d-aws:", False),
        ("ghcr.io/llm-d/llm-d-aws@sha256:0123", False),
        ("/llm-d-aws:v0.9.0", False),
        ("https://ghcr.io/llm-d/llm-d-aws:v0.9.0", False),
        ("", False),
    ],
)
def test_a_reference_is_pinned_by_a_tag_that_stays_or_a_digest(image: str, pinned: bool) -> None:
    assert is_pinned(image) is pinned


@pytest.mark.parametrize(
    ("field", "name", "code"),
    [
        ("modelServer", "llm-d-aws", "VER050"),
        ("sidecar", "llm-d-router-disagg-sidecar", "VER050"),
        ("scheduler", "llm-d-router-endpoint-picker", "IMG004"),
    ],
)
def test_an_image_that_moves_is_one_error_at_its_field(field: str, name: str, code: str) -> None:
    assert set(said(**{field: f"{REGISTRY}/{name}:main"})) == {(code, ("spec", "images", field))}
    assert said(**{field: f"{REGISTRY}/{name}@{DIGEST}"}) == []


@pytest.mark.parametrize(
    ("field", "image", "passes"),
    [
        ("modelServer", "ghcr.io/llm-d/llm-d-cuda:v0.9.0", False),
        ("modelServer", f"{REGISTRY}/llm-d-aws:v0.8.0", False),
        ("modelServer", f"{REGISTRY}/llm-d-aws:v0.9.0-patched", True),
        ("modelServer", f"{REGISTRY}/our-vllm:7", True),
        ("sidecar", f"{REGISTRY}/llm-d-router-disagg-sidecar:v0.9.0", False),
        ("sidecar", f"{REGISTRY}/our-sidecar:7", True),
    ],
)
def test_upstreams_images_are_those_of_the_release(field: str, image: str, passes: bool) -> None:
    expected = set() if passes else {("VER051", ("spec", "images", field))}
    assert set(said(**{field: image})) == expected


def test_a_container_of_the_pod_patch_is_pinned_where_it_stands() -> None:
    pod = {"containers": [{"name": "logs", "image": "registry.example.com/logs"}]}
    plan = plan_of("pd-disaggregation", GPT_OSS, release="v0.9.0", decode={"pod": pod})
    (found,) = (each.finding for each in api.check(plan) if each.finding.code == "VER050")
    assert found.at == ("spec", "decode", "pod", "containers", 0, "image")


WITHDRAWN = ("IMG002", ("spec", "release"))


@pytest.mark.parametrize("release", ["v0.5.1", "v0.6.0"])
def test_withdrawn_images_are_warned_of_until_another_registry_has_them(release: str) -> None:
    assert said(release=release) == [WITHDRAWN, WITHDRAWN]
    assert said("inference-scheduling", release) == [WITHDRAWN], "there is no sidecar"
    assert said(release=release, registry=REGISTRY) == []
    scheduler = f"{REGISTRY}/llm-d-inference-scheduler:v1"
    assert said("inference-scheduling", release, scheduler=scheduler) == []
    assert said(release=release, scheduler=scheduler) == [WITHDRAWN]


def test_the_default_release_names_nothing_withdrawn() -> None:
    assert said() == []
    assert catalogue.release("v0.9.0").withdrawn == {}


def test_pull_secrets_are_for_the_model_servers_and_the_scheduler_needs_a_command() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, release="v0.9.0", images={"pullSecrets": ["mirror", "other"]})
    (found,) = (each.finding for each in api.check(plan) if each.finding.code == "IMG003")
    assert found.at == ("spec", "images", "pullSecrets")
    patch = f"kubectl -n llm-d-demo patch serviceaccount {plan.names.scheduler_service} "
    assert patch in found.fix
    assert found.fix.endswith(""" -p '{"imagePullSecrets": [{"name": "mirror"}, {"name": "other"}]}'""")
    decode = api.render(plan)["chart/templates/decode.yaml"]
    assert "      imagePullSecrets:\n        - name: mirror\n        - name: other\n" in decode
