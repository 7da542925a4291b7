"""pipelines/deploy.sh with a stand-in for helmfile: what it refuses, and what it hands on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import Done, Repository, executable

TARGET = "chat/p5.48xlarge"
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
[ "$(basename "$0")" = aws ] || { test -f helmfile.yaml && echo "<Deployment> changed"; exit "${HELMFILE_CODE:-0}"; }
"""


class Deployment:
    """A commit of main and the tip of main, checked out beside each other, and calls of stand-in programs."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.repository, self.folder = repository, folder
        self.tip = folder / "tip"
        shutil.copytree(repository.root, self.tip)
        self.calls = folder / "calls"
        self.calls.write_text("")
        (folder / "bin").mkdir()
        for name in ("helmfile", "aws"):
            executable(folder / "bin" / name, STAND_IN)

    def run(self, action: str, **given: str) -> Done:
        settings = {
            "PATH": f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "CALLS": str(self.calls),
            "CHECKOUT": str(self.repository.root),
            "TIP": str(self.tip),
            "BRANCH": "main",
            "TARGET": TARGET,
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_REF": "refs/heads/main",
        }
        return self.repository.run("deploy.sh", action, **(settings | given))


@pytest.fixture
def deployment(repository: Repository, tmp_path: Path) -> Deployment:
    return Deployment(repository, tmp_path)


def test_apply_runs_helmfile_in_the_directory(deployment: Deployment) -> None:
    done = deployment.run("apply", CLUSTER="prod", AWS_REGION="us-east-1")
    assert done.code == 0, done.log
    assert deployment.calls.read_text().splitlines() == [
        "aws eks update-kubeconfig --name prod --region us-east-1",
        "helmfile --no-color apply --suppress-secrets",
    ]
    assert "&lt;Deployment&gt; changed" in done.summary
    assert f"apply of `{TARGET}`: done" in done.summary


def test_a_diff_that_finds_changes_passes(deployment: Deployment) -> None:
    done = deployment.run("diff", HELMFILE_CODE="2")
    assert (done.code, done.outputs["changed"]) == (0, "true")
    assert deployment.calls.read_text() == "helmfile --no-color diff --suppress-secrets --detailed-exitcode\n"


@pytest.mark.parametrize(("action", "code"), [("diff", "1"), ("apply", "1"), ("apply", "2")])
def test_a_failure_of_helmfile_is_one(deployment: Deployment, action: str, code: str) -> None:
    done = deployment.run(action, HELMFILE_CODE=code)
    assert done.code == int(code)
    assert f"failed (exit {code})" in done.summary


@pytest.mark.parametrize(
    "given",
    [
        {"GITHUB_EVENT_NAME": "pull_request"},
        {"GITHUB_EVENT_NAME": "pull_request_target"},
        {"GITHUB_EVENT_NAME": ""},
        {"GITHUB_REF": "refs/heads/feature"},
        {"GITHUB_REF": "refs/tags/main"},
        {"GITHUB_REF": "refs/pull/7/merge"},
        {"TARGET": "../../elsewhere"},
        {"TARGET": "chat"},
        {"TARGET": "chat/$(id)"},
    ],
)
@pytest.mark.parametrize("action", ["diff", "apply"])
def test_what_is_no_run_of_main_is_refused(deployment: Deployment, action: str, given: dict[str, str]) -> None:
    assert deployment.run(action, **given).code == 64
    assert deployment.calls.read_text() == ""


def test_what_main_has_changed_since_is_refused(deployment: Deployment) -> None:
    values = deployment.tip / "rendered" / TARGET / "values/router.yaml"
    values.write_text(values.read_text("utf-8") + "# newer\n", "utf-8")
    done = deployment.run("apply")
    assert done.code == 1
    assert "main has another chat/p5.48xlarge by now" in done.log
    assert deployment.calls.read_text() == ""


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_a_chart_that_main_has_changed_since_is_refused(deployment: Deployment, quote: str) -> None:
    for root in (deployment.repository.root, deployment.tip):
        (root / "charts/my chart").mkdir(parents=True)
        (root / "charts/my chart/Chart.yaml").write_text("version: 1.0.0\n")
        file = root / "rendered" / TARGET / "helmfile.yaml"
        text = file.read_text("utf-8")
        line = next(line for line in text.splitlines() if "chart: oci://" in line)
        file.write_text(text.replace(line, f"    chart: {quote}../../../charts/my chart{quote}"), "utf-8")
    assert deployment.run("apply").code == 0
    (deployment.tip / "charts/my chart/Chart.yaml").write_text("version: 1.0.1\n")
    done = deployment.run("apply")
    assert done.code == 1
    assert "main has another ../../../charts/my chart by now" in done.log


def test_a_link_is_compared_as_a_link(deployment: Deployment) -> None:
    for root in (deployment.repository.root, deployment.tip):
        values = root / "rendered" / TARGET / "values/router.yaml"
        text = values.read_text("utf-8")
        values.unlink()
        (root / "elsewhere.yaml").write_text(text)
        values.symlink_to("/" if root == deployment.tip else root / "elsewhere.yaml")
    assert deployment.run("apply").code == 1


def test_what_main_no_longer_has_is_refused(deployment: Deployment) -> None:
    shutil.rmtree(deployment.tip / "rendered" / TARGET)
    assert deployment.run("apply").code == 1
    assert deployment.calls.read_text() == ""


def test_other_changes_of_main_are_no_obstacle(deployment: Deployment) -> None:
    (deployment.tip / "README.md").write_text("newer")
    assert deployment.run("apply").code == 0
