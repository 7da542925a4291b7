"""The workflows, the action and the examples: valid by their schemas, clean by actionlint, zizmor and shellcheck,
pinned, and true to what the scripts read and write."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from llmdgen import api
from llmdgen.facts import catalogue
from llmdgen.prerequisites.facts import prerequisites
from llmdgen.spec.model import DEFAULT_RELEASE

from .conftest import PIPELINES, ROOT

WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
EXAMPLE = ROOT / "examples/github/llmdgen.yml"
REHEARSAL = ROOT / "examples/github/rehearse.yml"
REUSABLE = ROOT / ".github/workflows/llmdgen.yml"
ACTION = ROOT / "action.yml"
ALL = [*WORKFLOWS, EXAMPLE, REHEARSAL, ACTION]


def tool(name: str) -> str:
    """A development tool beside this Python or on the PATH; the test skips where there is none."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@cache
def document(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def steps(path: Path) -> list[dict[str, Any]]:
    read = document(path)
    jobs = [read["runs"]] if path == ACTION else list(read["jobs"].values())
    return [step for job in jobs for step in job.get("steps", [])]


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        *(("github-workflows", path) for path in (*WORKFLOWS, EXAMPLE, REHEARSAL)),
        ("github-actions", ACTION),
        ("gitlab-ci", ROOT / "examples/gitlab/.gitlab-ci.yml"),
    ],
    ids=lambda each: each.name if isinstance(each, Path) else each,
)
def test_the_schema_finds_nothing(schema: str, path: Path) -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def actionlint(*paths: Path) -> subprocess.CompletedProcess[str]:
    """With shellcheck on the scripts of the steps."""
    command = [tool("actionlint"), "-no-color", "-shellcheck", tool("shellcheck"), *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_actionlint_finds_nothing() -> None:
    done = actionlint(*WORKFLOWS, EXAMPLE, REHEARSAL)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("needs: review", "needs: revue"),
        ("github.event_name == 'pull_request'", "github.event_nam == 'pull_request'"),
        ("steps.llmdgen.outputs.report-file", "steps.llmdgem.outputs.report-file"),
        ("inputs.upload-sarif", "inputs.upload-serif"),
    ],
)
def test_actionlint_finds_what_is_wrong(tmp_path: Path, right: str, wrong: str) -> None:
    text = REUSABLE.read_text("utf-8")
    assert right in text
    broken = tmp_path / "llmdgen.yml"
    broken.write_text(text.replace(right, wrong), "utf-8")
    done = actionlint(broken)
    assert done.returncode == 1, done.stdout


def test_zizmor_finds_nothing() -> None:
    command = [tool("zizmor"), "--offline", "--no-progress", "--persona=pedantic", "--format=plain", *map(str, ALL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_shellcheck_finds_nothing() -> None:
    command = [tool("shellcheck"), "--external-sources", *map(str, sorted(PIPELINES.glob("*.sh")))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_nothing_of_an_expression_is_run(path: Path) -> None:
    """An expression inside `run` is pasted into the script before the shell reads it."""
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    for row in re.findall(r"uses: (.+)", path.read_text("utf-8")):
        assert row.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", row), row


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_scripts_that_a_step_runs_are_there(path: Path) -> None:
    for step in steps(path):
        for name in re.findall(r"(?<!\.)\bpipelines/([\w.]+)", step.get("run", "")):
            assert os.access(PIPELINES / name, os.X_OK), name


def test_the_action_hands_every_input_on() -> None:
    read = document(ACTION)
    text = ACTION.read_text("utf-8").partition("\nruns:")[2]
    assert [
        name for name in read["inputs"] if f"inputs.{name} }}}}" not in text and f"inputs.{name} ==" not in text
    ] == []


def test_outputs_of_the_action_are_those_of_the_script() -> None:
    written = set(re.findall(r"\boutput ([\w-]+) ", (PIPELINES / "review.sh").read_text("utf-8")))
    assert set(document(ACTION)["outputs"]) == written


def test_variables_of_the_action_are_those_that_the_script_reads() -> None:
    review = next(step for step in steps(ACTION) if step.get("id") == "review")
    read = set(re.findall(r"\$\{([A-Z]+):-", (PIPELINES / "review.sh").read_text("utf-8")))
    assert set(review["env"]) == read


def test_a_workflow_gives_no_right_that_no_job_names() -> None:
    assert document(REUSABLE)["permissions"] == {}
    rights = {name: set(job["permissions"].items()) for name, job in document(REUSABLE)["jobs"].items()}
    assert {right for right, kind in rights["review"] if kind == "write"} == {"pull-requests", "security-events"}
    for name in ("diff", "apply"):
        assert rights[name] == {("contents", "read"), ("id-token", "write")}


def test_a_caller_gives_what_the_jobs_ask_for() -> None:
    """GitHub starts no reusable workflow that asks for more than its caller has."""
    asked = {right for job in document(REUSABLE)["jobs"].values() for right in job["permissions"].items()}
    for path in (EXAMPLE, ROOT / ".github/workflows/ci.yml"):
        (call,) = [job for job in document(path)["jobs"].values() if "uses" in job]
        assert set(call["permissions"].items()) == asked
        assert set(call["with"]) <= set(document(REUSABLE)["on"]["workflow_call"]["inputs"])


@pytest.mark.parametrize("name", ["diff", "apply"])
def test_a_cluster_is_reached_from_the_main_branch_alone(name: str) -> None:
    job = document(REUSABLE)["jobs"][name]
    assert "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)" in job["if"]
    assert 'contains(fromJSON(\'["push", "workflow_dispatch", "schedule"]\'), github.event_name)' in job["if"]


def test_an_apply_waits_for_the_environment_and_for_the_diff_and_is_alone() -> None:
    job = document(REUSABLE)["jobs"]["apply"]
    assert job["environment"] == "${{ inputs.environment }}"
    assert job["needs"] == "diff"
    assert document(REUSABLE)["jobs"]["diff"]["needs"] == "review"
    assert job["concurrency"]["cancel-in-progress"] is False


def test_no_workflow_runs_on_pull_request_target() -> None:
    assert [
        path.name for path in (*WORKFLOWS, EXAMPLE, REHEARSAL) if "pull_request_target" in path.read_text("utf-8")
    ] == []


def test_no_checkout_leaves_its_token_behind() -> None:
    for path in (*WORKFLOWS, REHEARSAL):
        for step in steps(path):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_rehearsal_has_the_versions_of_the_prerequisites() -> None:
    """And the names of the spec that it rehearses."""
    pins = prerequisites(catalogue.release(DEFAULT_RELEASE)).pins
    environment = document(REHEARSAL)["env"]
    plan = api.draft(api.load(ROOT / environment["SPEC"]), environment["TARGET"].rpartition("/")[2])
    assert environment == {
        "SPEC": "paths/pd-disaggregation.yaml",
        "TARGET": f"rendered/{plan.spec.name}/{plan.target}",
        "NAMESPACE": plan.names.namespace,
        "KWOK": environment["KWOK"],
        "GATEWAY_API": pins["gateway_api"]["crds"],
        "INFERENCE_EXTENSION": pins["inference_extension"]["crds"],
        "PROMETHEUS_OPERATOR": pins["prometheus_operator"]["crds"],
        "ISTIO": pins["istio"]["version"],
        "LWS": pins["lws"]["version"],
    }
