"""What a container runs after `vllm serve`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from llmdgen.kube.command_line import served_arguments, unresolved

SCRIPT = """\
# vllm serve in a comment is no command
START_RANK=$(( ${LWS_WORKER_INDEX:-0} * DP_SIZE_LOCAL ))
exec vllm serve \\
  deepseek-ai/DeepSeek-R1-0528 \\
  --port 8200 \\
  --data-parallel-size $((LWS_GROUP_SIZE * DP_SIZE_LOCAL)) \\
  --data-parallel-address ${LWS_LEADER_ADDRESS} \\
  --data-parallel-start-rank=$START_RANK \\
  '--kv-transfer-config={"a": "$NOT"}' "--x=$TP_SIZE y" --cache=${CACHE-}
echo done
"""


def test_a_script_is_read_without_being_run() -> None:
    variables = {"DP_SIZE_LOCAL": "8", "TP_SIZE": "1", "LWS_WORKER_INDEX": "1", "LWS_GROUP_SIZE": "2"}
    assert served_arguments(["/bin/bash", "-c"], [SCRIPT], variables) == (
        "deepseek-ai/DeepSeek-R1-0528",
        "--port",
        "8200",
        "--data-parallel-size",
        "16",
        "--data-parallel-address",
        "$LWS_LEADER_ADDRESS",
        "--data-parallel-start-rank=8",
        '--kv-transfer-config={"a": "$NOT"}',
        "--x=1 y",
        "--cache=",
    )


def test_positional_arguments_follow_the_script() -> None:
    words = ['exec vllm serve "$@" --data-parallel-start-rank=$((INDEX * 8))', "vllm", "model", "--x={1 2}"]
    assert served_arguments(["bash", "-ec"], words, {"INDEX": "1"}) == (
        "model",
        "--x={1 2}",
        "--data-parallel-start-rank=8",
    )


def test_the_charts_own_command_is_taken_as_it_is_with_references_filled_in() -> None:
    arguments = ["m", "--port", "8000", "--host=$(POD_IP)", "--y=$(KNOWN)", "--z=$$(KNOWN)"]
    assert served_arguments(["vllm", "serve"], arguments, {"KNOWN": "1"}) == (
        "m",
        "--port",
        "8000",
        "--host=$(POD_IP)",
        "--y=1",
        "--z=$(KNOWN)",
    )


@pytest.mark.parametrize("command", [["epp"], ["/bin/sh", "-c"], [], ["install", "-d"]])
def test_other_containers_do_not_serve(command: list[str]) -> None:
    assert served_arguments(command, ["sleep 1; echo vllm server"], {}) is None


def test_what_only_the_cluster_knows_stays_in_one_spelling() -> None:
    assert {unresolved(each) for each in ("--a=$(X)", "--a=${X}", "--a=$X")} == {"--a=$X"}


def test_arithmetic_on_what_is_not_known_stays() -> None:
    assert served_arguments(["sh", "-c"], ["vllm serve m --r=$((INDEX * 8))"], {}) == ("m", "--r=$((INDEX * 8))")


@pytest.mark.parametrize("index", ["0", "1"])
def test_a_script_is_read_as_bash_would_run_it(tmp_path: Path, index: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    program = tmp_path / "vllm"
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o755)
    variables = {
        "DP_SIZE_LOCAL": "8",
        "TP_SIZE": "1",
        "LWS_WORKER_INDEX": index,
        "LWS_GROUP_SIZE": "2",
        "LWS_LEADER_ADDRESS": "leader.ns",
    }
    answer = subprocess.run(
        [bash, "-c", SCRIPT], env={**variables, "PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert ("serve", *(served_arguments(["bash", "-c"], [SCRIPT], variables) or ())) == tuple(
        answer.stdout.splitlines()
    )
