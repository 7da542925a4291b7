"""docs/ci.md: its commands run, its configurations name what there is, its table of exit codes is true."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.tools import STAND_IN_CHARTS, tools_folder

from .conftest import ROOT, Repository, environment, program

GUIDE = (ROOT / "docs/ci.md").read_text("utf-8")
COMMANDS = [  # but for those that need a cluster
    row
    for block in re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL)
    for row in block.splitlines()
    if row.startswith("llmdgen ") and "kubectl" not in row
]
BLOCKS: list[Any] = [YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]


def shell(repository: Repository, command: str, path: str = "") -> subprocess.CompletedProcess[str]:
    program(repository.outside)
    env = environment() | {"PATH": f"{path}{repository.outside}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", command], cwd=repository.root, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_guide_runs(repository: Repository, command: str) -> None:
    repository.git("update-ref", "refs/remotes/origin/main", "main")
    path = ""
    if "--manifests" in command or "verify" in command:
        tools = tools_folder()
        if tools is None:
            pytest.skip("helm and helmfile cannot be fetched here")
        path, command = f"{tools}:", f"{command} --charts {STAND_IN_CHARTS}"
    done = shell(repository, command, path)
    assert done.returncode == 0, done.stderr


def test_the_guide_has_commands() -> None:
    assert len(COMMANDS) == 6


def test_hooks_of_the_guide_are_those_of_the_manifest() -> None:
    (hooks,) = [repo["hooks"] for block in BLOCKS for repo in block.get("repos", [])]
    known = [hook["id"] for hook in YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")]
    assert [hook["id"] for hook in hooks] == known


def test_the_step_of_the_guide_gives_inputs_that_the_action_has() -> None:
    (steps,) = [block["steps"] for block in BLOCKS if "steps" in block]
    (step,) = [each for each in steps if each.get("id") == "llmdgen"]
    assert set(step["with"]) <= set(YAML(typ="safe").load(ROOT / "action.yml")["inputs"])


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (("replicas: 2", "replicas: 2"), (0, 0, 0)),
        (("replicas: 2", "replicas: 3"), (0, 2, 0)),
        (("replicas: 2", "replica: 2"), (1, 1, 0)),
    ],
)
def test_exit_codes_are_those_of_the_table(
    repository: Repository, change: tuple[str, str], codes: tuple[int, int, int]
) -> None:
    repository.git("update-ref", "refs/remotes/origin/main", "main")
    file = repository.root / "paths/chat.yaml"
    file.write_text(file.read_text("utf-8").replace(*change), "utf-8")
    commands = ("validate paths/*.yaml", "render --check paths/*.yaml", "diff origin/main...HEAD")
    assert tuple(shell(repository, f"llmdgen {each}").returncode for each in commands) == codes


def test_wrong_usage_is_64(repository: Repository) -> None:
    for command in ("validate", "render --check", "diff"):
        assert shell(repository, f"llmdgen {command}").returncode == 64
