from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

ReportOf = Callable[[str, Any], str]


@pytest.mark.parametrize(
    "uri",
    [
        "hf://openai/gpt-oss-120b",
        "hf://Qwen/Qwen3-0.6B",
        "pvc://models/gpt-oss-120b",
        "pvc://team.models/a/b_c/D.1",
        "pvc+hf://models/hub/openai/gpt-oss-120b",
        "pvc+hf://models/a/b/openai/gpt-oss-120b",
    ],
)
def test_the_chart_serves_these(uri: str, report_of: ReportOf) -> None:
    assert report_of("spec.model.uri", uri) == ""


@pytest.mark.parametrize(
    ("uri", "fix"),
    [
        ("openai/gpt-oss-120b", "write hf://openai/gpt-oss-120b"),
        ("https://huggingface.co/openai/gpt-oss-120b/tree/main", "write hf://openai/gpt-oss-120b"),
        ("hf.co/openai/gpt-oss-120b", "write hf://openai/gpt-oss-120b"),
        ("hf://gpt-oss-120b", "write hf://org/name"),
        ("hf://a/b/c", "write hf://org/name"),
        ("hf:///openai//gpt-oss-120b/", "write hf://openai/gpt-oss-120b"),
        ("pvc://models", "write pvc://claim/path"),
        ("pvc://models/../secrets", "write pvc://claim/path"),
        ("pvc://Models/a", "write pvc://claim/path"),
        ("pvc://models/a b", "write pvc://claim/path"),
        ("pvc+hf://models/openai/gpt-oss-120b", "write pvc+hf://claim/path/org/name"),
        ("oci://registry/model:1", "use hf://org/name"),
        ("s3://bucket/model", "put the weights on a PersistentVolumeClaim"),
        ("/mnt/models/gpt", "put the weights on a PersistentVolumeClaim"),
        ("ollama:gpt", "use hf://org/name"),
        ("", "use hf://org/name"),
    ],
)
def test_every_other_uri_is_answered_with_one_that_works(uri: str, fix: str, report_of: ReportOf) -> None:
    told = report_of("spec.model.uri", uri)
    assert "SPEC012" in told
    assert f"(fix: {fix}" in told


def test_without_a_uri_the_name_must_be_one_of_hugging_face(full: dict[str, Any], report: Callable[[Any], str]) -> None:
    del full["spec"]["model"]["uri"]
    assert report(full) == ""
    full["spec"]["model"]["name"] = "my-model"
    assert "(fix: set spec.model.uri)" in report(full)


def test_with_a_uri_the_name_is_free(report_of: ReportOf) -> None:
    assert report_of("spec.model.name", "my-model") == ""


@pytest.mark.parametrize("path", ["config.json", "./config.json", "models/a/config.json", "..config.json"])
def test_a_config_stands_beside_the_spec_or_below(path: str, report_of: ReportOf) -> None:
    assert report_of("spec.model.config", path) == ""


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../config.json", "a/../../b", "~/config.json", "C:\\a", "https://a/b.json", "", ".", "./", "a/"],
)
def test_a_config_elsewhere_is_refused(path: str, report_of: ReportOf) -> None:
    assert "SPEC013" in report_of("spec.model.config", path)


def test_a_host_path_does_not_go_up(report_of: ReportOf) -> None:
    assert "SPEC013" in report_of("spec.cache.disk.path", "/mnt/../etc")
    assert report_of("spec.cache.disk.path", "/mnt/a..b") == ""
