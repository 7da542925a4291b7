"""The script that starts vLLM, run: its slot of the disk is emptied, and files of tiers are kept to their size."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from llmdgen.objects.pod import script
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


def test_what_was_written_first_goes_once_a_tier_is_full(tmp_path: Path) -> None:
    cache = {"storage": {"claim": "kv", "size": "10Gi"}}
    plan = plan_of("tiered-prefix-cache", release="v0.9.0", cache=cache, engine={"args": {"max-model-len": 16000}})
    text = script(plan, role_of(plan, "decode"))
    asked = f"keep_to {10 << 30} /mnt/kv-storage 600 &"
    assert asked in text
    for number in range(6):
        block = tmp_path / f"folder {number % 2}" / f"{number}.bin"
        block.parent.mkdir(exist_ok=True)
        block.write_bytes(b"x" * 1000)
        os.utime(block, (number, number))
    function = text[text.index("keep_to() {") : text.index(asked)]
    looks_once = 'sleep() { [ -z "${looked:-}" ] && looked=1; }'
    command = f"set -euo pipefail\n{looks_once}\n{function}\nkeep_to 2500 '{tmp_path}' 1\n"
    subprocess.run(["bash", "-c", command], check=True)
    assert sorted(each.name for each in tmp_path.rglob("*.bin")) == ["4.bin", "5.bin"]
