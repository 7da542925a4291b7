"""What a spec of each release becomes, rendered by the chart that the release pins: the cases of tests/golden."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.rendering.files import files
from llmdgen.verify.run import verify
from llmdgen.verify.tools import Tools
from tests.tools import real_charts_folder
from tests.verify.conftest import write

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(file.parent.name for file in GOLDEN.glob("v[0-9]*/spec.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_a_releases_chart_takes_what_is_rendered_for_it(
    case: str, tmp_path: Path, crds: Path, helm_tools: Tools
) -> None:
    release = re.match(r"v[0-9.]*[0-9]", case)
    assert release is not None
    charts = real_charts_folder(release.group())
    if charts is None:
        pytest.skip(f"LLMDGEN_CHARTS has no chart of llm-d {release.group()}")
    spec = api.load(GOLDEN / case / "spec.yaml")
    directory = write(files(api.draft(spec, api.targets(spec)[0])), tmp_path)
    problems = verify(directory, charts, crds, helm_tools)
    assert [str(each) for each in problems if each.is_error] == []
