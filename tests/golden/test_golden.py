"""Whole directories, as a reviewer would read them: a folder a case, `spec.yaml` beside what it becomes.

`pytest tests/golden --update-golden` rewrites `expected/`; the diff of that is what a change does to every deployment.
The drawing is compared in one case only, because nobody reads its diff.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.planning.model import Plan

CASES = sorted(folder.parent for folder in Path(__file__).parent.glob("*/spec.yaml"))
DRAWN = "other-hardware"
Golden = Callable[[Path, str], None]


def _plan(case: Path) -> Plan:
    spec = api.load(case / "spec.yaml")
    return api.plan(spec, api.targets(spec)[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_spec_becomes_these_files(case: Path, golden: Golden) -> None:
    files = api.render(_plan(case))
    if case.name != DRAWN:
        del files["topology.svg"]
    for name, text in files.items():
        golden(case / "expected" / name, text)
    kept = {file.relative_to(case / "expected").as_posix() for file in (case / "expected").rglob("*") if file.is_file()}
    assert kept == set(files)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_path_of_this_machine_is_in_the_files(case: Path) -> None:
    files = api.render(_plan(case))
    repository = str(Path(__file__).parents[2])
    assert [name for name, text in files.items() if repository in text] == []
