"""The script that starts vLLM, run: it takes a free slot of the disk, and empties what was left there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from llmdgen.objects.launch import script
from tests.specs import plan_of, role_of

pytestmark = pytest.mark.skipif(
    not shutil.which("flock") or not shutil.which("bash"), reason="flock or bash is missing"
)


def start(folder: Path, *, seconds: float) -> subprocess.Popen[str]:
    """The script with its paths below a folder, and a vLLM that lives so long and says where it is."""
    plan = plan_of("tiered-prefix-cache", cache={"disk": {}}, engine={"args": {"max-model-len": 16000}})
    text = script(plan, role_of(plan, "decode"))
    head, _, _ = text.partition("exec vllm serve")
    head = head.replace("find /dev/shm -type f -delete", ":").replace("/mnt/kv-disk", str(folder / "disk"))
    head = head.replace("/tmp/kv-disk", str(folder / "link"))
    command = f'{head}\nreadlink "{folder / "link"}"\nexec sleep {seconds}\n'
    (folder / "disk").mkdir(exist_ok=True)
    return subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE, text=True)


def slot(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip().rpartition("/")[2]


def test_each_pod_takes_its_own_slot_and_a_dead_ones_is_emptied_and_used_again(tmp_path: Path) -> None:
    first = start(tmp_path, seconds=30)
    assert slot(first) == "0"
    (tmp_path / "disk/0/block").write_text("held")
    second = start(tmp_path, seconds=30)
    try:
        assert slot(second) == "1"
        assert (tmp_path / "disk/0/block").exists(), "a file went under a running engine"
        first.kill()
        first.wait()
        third = start(tmp_path, seconds=0)
        assert slot(third) == "0"
        third.wait()
        assert not (tmp_path / "disk/0/block").exists()
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        assert third.stdout is not None
        third.stdout.close()
