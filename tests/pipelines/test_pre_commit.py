"""The hooks, run as pre-commit runs them: on the staged files that the patterns take, from the repository's root."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import Any

import pytest
from ruamel.yaml import YAML

from .conftest import ROOT, Repository, environment, program

HOOKS: dict[str, dict[str, Any]] = {hook["id"]: hook for hook in YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")}
KEYS = {"id", "name", "description", "entry", "language", "files", "types", "args", "pass_filenames", "require_serial"}


def run(repository: Repository, name: str, *args: str) -> subprocess.CompletedProcess[str] | None:
    """What a hook says of the staged files; None where it has nothing to do."""
    hook = HOOKS[name]
    staged = repository.git("diff", "--cached", "--name-only", "-z", "--diff-filter=ACMRT").split("\0")[:-1]
    taken = [each for each in staged if re.search(hook["files"], each)]
    if "yaml" in hook.get("types", []):
        taken = [each for each in taken if each.endswith((".yaml", ".yml"))]
    if not taken:
        return None
    program(repository.outside)
    command = [*shlex.split(hook["entry"]), *(args or hook.get("args", []))]
    command += taken if hook.get("pass_filenames", True) else []
    env = environment() | {"PATH": f"{repository.outside}:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=repository.root, env=env, capture_output=True, text=True, check=False)


def stage(repository: Repository, old: str, new: str, path: str = "paths/chat.yaml") -> None:
    file = repository.root / path
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")
    repository.git("add", "-A")


def test_the_manifest_has_three_hooks_and_only_keys_of_pre_commit() -> None:
    assert list(HOOKS) == ["llmdgen-validate", "llmdgen-render", "llmdgen-check"]
    for hook in HOOKS.values():
        assert set(hook) <= KEYS
        assert hook["language"] == "python"


@pytest.mark.parametrize("name", HOOKS)
def test_other_files_start_no_hook(repository: Repository, name: str) -> None:
    (repository.root / "README.md").write_text("read me")
    repository.git("add", "-A")
    assert run(repository, name) is None


def test_validate_reads_the_specs_of_the_commit(repository: Repository) -> None:
    stage(repository, "replicas: 2", "replica: 2")
    done = run(repository, "llmdgen-validate")
    assert done
    assert done.returncode == 1
    assert "paths/chat.yaml:8:12" in done.stderr


def test_render_writes_what_pre_commit_then_sees(repository: Repository) -> None:
    stage(repository, "replicas: 2", "replicas: 3")
    done = run(repository, "llmdgen-render")
    assert done
    assert done.returncode == 0
    assert "rendered/chat/p5.48xlarge/chart/templates/decode.yaml" in repository.git("diff", "--name-only")


def test_check_passes_what_was_rendered(repository: Repository) -> None:
    stage(repository, "replicas: 2", "replicas: 3")
    assert repository.llmdgen("render", "paths/chat.yaml").returncode == 0
    repository.git("add", "-A")
    done = run(repository, "llmdgen-check")
    assert done
    assert done.returncode == 0, done.stderr


def test_check_finds_a_spec_that_was_not_rendered(repository: Repository) -> None:
    stage(repository, "replicas: 2", "replicas: 3")
    done = run(repository, "llmdgen-check")
    assert done
    assert done.returncode == 2


def test_check_finds_an_edit_below_rendered_without_its_spec(repository: Repository) -> None:
    stage(repository, "replicas: 2", "replicas: 9", "rendered/chat/p5.48xlarge/chart/templates/decode.yaml")
    done = run(repository, "llmdgen-check")
    assert done
    assert done.returncode == 2
    assert "hand-edited" in done.stdout


def test_check_takes_options_of_the_render_and_globs(repository: Repository) -> None:
    stage(repository, "replicas: 2", "replicas: 9", "rendered/chat/p5.48xlarge/chart/templates/decode.yaml")
    done = run(repository, "llmdgen-check", "-o", "elsewhere", "paths/c*.yaml")
    assert done
    assert done.returncode == 2
    assert "never rendered" in done.stdout
