"""What a spec of each release becomes, rendered by the charts that the release pins: the cases of tests/golden."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmdgen.verify.run import verify
from llmdgen.verify.tools import Tools
from tests.tools import real_charts_folder

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(file.parent.name for file in GOLDEN.glob("v[0-9]*/spec.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_a_releases_charts_take_what_is_rendered_for_it(case: str, crds: Path, helm_tools: Tools) -> None:
    release = re.match(r"v[0-9.]*[0-9]", case)
    assert release is not None
    charts = real_charts_folder(release.group())
    if charts is None:
        pytest.skip(f"LLMDGEN_CHARTS has no charts of llm-d {release.group()}")
    problems = verify(GOLDEN / case / "expected", charts, crds, helm_tools)
    assert [str(each) for each in problems if each.is_error] == []
