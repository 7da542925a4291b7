"""Whole upgrades: before.yaml becomes after.yaml, and says.txt is what the command printed, without what changes in the
deployment and what checks warn of, which their own tests say.

A case with a base.yaml has a spec that extends it; a base is read and never written.
"""

from __future__ import annotations

import gc
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from llmdgen.cli.main import main

CASES = sorted((Path(__file__).parent / "cases").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_upgrade_writes_and_says_what_is_recorded(
    case: Path,
    golden: Callable[[Path, str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "spec.yaml"
    file.write_bytes((case / "before.yaml").read_bytes())
    if (case / "base.yaml").exists():
        shutil.copy(case / "base.yaml", tmp_path)
    code = main(["upgrade", "spec.yaml", "--to", "v0.6.0"])
    gc.enable()
    printed = capsys.readouterr()
    golden(case / "after.yaml", file.read_bytes().decode())
    out = re.sub(r"(?ms)^size of .*?(?=^spec\.yaml: )", "", printed.out)
    err = "".join(line for line in printed.err.splitlines(True) if ": error " in line or " UPG" in line)
    golden(case / "says.txt", f"exit {code}\n--- stdout\n{out}--- stderr\n{err}")
    if code:
        assert file.read_bytes() == (case / "before.yaml").read_bytes()
    if (case / "base.yaml").exists():
        assert (tmp_path / "base.yaml").read_bytes() == (case / "base.yaml").read_bytes()
