"""The whole verification: releases, severities, the text that a user reads, and the guides of llm-d."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from llmdgen.findings import Severity
from llmdgen.registry import RULES
from llmdgen.verify.problem import Problem, line, lines
from llmdgen.verify.rules import dotted
from llmdgen.verify.run import read_files, verify, verify_manifests
from llmdgen.verify.tools import Tools
from llmdgen.verify.yaml import dump
from tests.verify.conftest import DATA, Good

GUIDES = Path(__file__).resolve().parents[3] / "shared" / "upstream" / "guides" / "v0.5.1"
PROBLEM = Problem("VER012", Severity.ERROR, "Deployment/ms-x", "spec.replicas", "two\nlines", "do this")


def test_a_problem_is_one_line_with_its_directory() -> None:
    text = "rendered/x/p5: Deployment/ms-x spec.replicas: error VER012: two lines (fix: do this)"
    assert line("rendered/x/p5", PROBLEM) == text
    assert lines("rendered/x/p5", [PROBLEM, PROBLEM]) == f"{text}\n{text}\n"
    assert lines("rendered/x/p5", []) == ""


def test_a_path_reads_like_kubectls() -> None:
    assert dotted("spec", "containers", 0, "env") == "spec.containers[0].env"
    assert dotted() == ""


def test_every_code_of_verification_explains_itself() -> None:
    codes = {code: rule for code, rule in RULES.items() if code.startswith("VER")}
    assert {f"VER{number:03}" for number in range(1, 8)} <= set(codes)
    for code, rule in codes.items():
        assert "Fails:" in rule.explanation, code
        assert "Passes:" in rule.explanation, code


def test_errors_come_first(pd: Good) -> None:
    manifests = tuple(each for each in pd.manifests if each.kind != "HTTPRoute")
    severities = [each.severity.value for each in verify_manifests(manifests, pd.releases, pd.files)]
    assert severities == sorted(severities)  # error, note, warning happen to be in the order of the alphabet
    assert severities[0] == "error"


def test_only_the_files_that_rules_read_are_read() -> None:
    read = read_files(DATA / "pd")
    assert sum(name.startswith("manifests/") for name in read) == len(list((DATA / "pd" / "manifests").iterdir()))
    assert sorted(name for name in read if not name.startswith("manifests/")) == [
        "allocation.yaml",
        "helmfile.yaml",
        "values/gaie.yaml",
        "values/infra.yaml",
        "values/ms.yaml",
        "vllm/decode.args",
        "vllm/prefill.args",
    ]


def test_prerequisites_of_a_cluster_are_judged_by_their_lock(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[2] / "rendered" / "cluster", tmp_path / "cluster")
    for name in ("eks-istio", "hyperpod-istio"):
        assert [each.code for each in verify(tmp_path / "cluster" / name)] == ["VER109"]
    file = tmp_path / "cluster" / "eks-istio" / "helmfile.yaml"
    file.write_text(file.read_text().replace("istio/istiod", "istio/base"))
    found = verify(tmp_path / "cluster" / "eks-istio")
    assert [(each.code, each.object) for each in found] == [("VER008", "helmfile.yaml"), ("VER109", "helmfile.yaml")]


def test_a_fault_in_the_values_is_found_end_to_end(tmp_path: Path, stand_in_charts: Path, helm_tools: Tools) -> None:
    shutil.copytree(DATA / "pd", tmp_path / "pd")
    values = tmp_path / "pd" / "values" / "ms.yaml"
    values.write_text(values.read_text().replace("targetPort: 8200", "targetPort: 8300"))
    codes = {each.code for each in verify(tmp_path / "pd", stand_in_charts, None, helm_tools)} - {"VER007"}
    assert codes == {"VER020", "VER092", "VER101"}


@pytest.mark.skipif(not GUIDES.is_dir(), reason="the guides of llm-d are not beside this repository")
def test_the_guides_own_faults_are_found(tmp_path: Path, real_charts: Path, helm_tools: Tools) -> None:
    guide = GUIDES / "pd-disaggregation"
    (tmp_path / "values").mkdir()
    for folder in ("gaie-pd", "ms-pd"):
        (tmp_path / "values" / f"{folder}.yaml").write_text((guide / folder / "values.yaml").read_text())
    releases = [
        {"name": "infra-pd", "namespace": "pd", "chart": "x/llm-d-infra"},
        {"name": "gaie-pd", "namespace": "pd", "chart": "x/inferencepool", "values": ["values/gaie-pd.yaml"]},
        {"name": "ms-pd", "namespace": "pd", "chart": "x/llm-d-modelservice", "values": ["values/ms-pd.yaml"]},
    ]
    (tmp_path / "helmfile.yaml").write_text(dump({"releases": releases}))
    found = {each.code for each in verify(tmp_path, real_charts, None, helm_tools) if each.is_error}
    # No allocation.yaml, route, instance type, EFA or repositories, the CUDA image, rdma/ib, charts without a version.
    assert found == {"VER009", "VER043", "VER051", "VER057", "VER067", "VER068", "VER071", "VER098", "VER100"}
