"""Scratch repositories with a spec and what it gives, and the scripts of pipelines/ run in them with the real
llmdgen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent.parent
PIPELINES = ROOT / "pipelines"
NEEDED = ("bash", "git", "sed", "od")
SPEC = """\
apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {name: chat}
spec:
  path: inference-scheduling
  instanceTypes: [p5.48xlarge]
  model: {name: Qwen/Qwen3-32B}
  decode: {replicas: 2}
"""


class Done(Struct, frozen=True):
    """What a script did: its exit code, its log, the outputs of the step and the job summary."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str


class Repository(Struct, frozen=True):
    """A scratch git repository on the branch `change`, begun at `main`; `outside` is a folder beside it."""

    root: Path
    outside: Path

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments]
        done = subprocess.run(command, cwd=self.root, env=environment(), capture_output=True, text=True, check=True)
        return done.stdout

    def llmdgen(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(program(self.outside)), *arguments]
        return subprocess.run(command, cwd=self.root, env=environment(), capture_output=True, text=True, check=False)

    def change(self, old: str, new: str, path: str = "paths/chat.yaml", render: bool = True) -> None:
        """Replace text of a file, render unless told not to, and commit all."""
        file = self.root / path
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new), "utf-8")
        if render:
            assert self.llmdgen("render", "paths/chat.yaml").returncode == 0
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")

    def run(self, script: str, *arguments: str, **given: str) -> Done:
        """Run a script of pipelines/ in the repository with these environment variables."""
        output, summary = self.outside / "output", self.outside / "summary"
        output.write_text("")
        summary.write_text("")
        settings = {
            "LLMDGEN": str(program(self.outside)),
            "REPORTS": str(self.outside / "reports"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            **given,
        }
        command = [str(PIPELINES / script), *arguments]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment() | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, outputs(output.read_text("utf-8")), summary.read_text("utf-8"))


def environment() -> dict[str, str]:
    """The little that programs need: nothing of the user's git configuration, nothing of a runner around the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "GIT_", "CI_"))}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PYTHONPATH": str(ROOT)}


def program(folder: Path) -> Path:
    """llmdgen as one program, as it is in this checkout."""
    return executable(folder / "llmdgen", f'#!/bin/sh\nexec "{sys.executable}" -m llmdgen "$@"\n')


def executable(path: Path, text: str) -> Path:
    if not path.exists():
        path.write_text(text, "utf-8")
        path.chmod(0o755)
    return path


def outputs(text: str) -> dict[str, str]:
    """The outputs of a step from what it wrote, read as the runner does."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, _, mark = line.partition("<<")
        value = []
        for each in lines:
            if each == mark:
                break
            value.append(each)
        found[name] = "\n".join(value)
    return found


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose main branch is clean; copied for each test."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    outside = tmp_path_factory.mktemp("template")
    made = Repository(outside / "repository", outside)
    (made.root / "paths").mkdir(parents=True)
    (made.root / "paths" / "chat.yaml").write_text(SPEC, "utf-8")
    made.git("init", "-q", "-b", "main")
    done = made.llmdgen("render", "paths/chat.yaml")
    assert done.returncode == 0, done.stderr
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "begin")
    made.git("checkout", "-q", "-b", "change")
    return made.root


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Repository:
    shutil.copytree(template, tmp_path / "repository")
    return Repository(tmp_path / "repository", tmp_path)


Review = Callable[..., Done]


@pytest.fixture
def review(repository: Repository) -> Review:
    """Run pipelines/review.sh with the inputs of action.yml, main being the base."""

    def run(**given: str) -> Done:
        return repository.run("review.sh", **{"SPECS": "paths/*.yaml", "BASE": "main", **given})

    return run
