"""What a spec of each release becomes, rendered by the chart that the release pins: the cases of tests/golden."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.rendering.files import files
from llmdgen.verify.helmfile import Tools
from llmdgen.verify.run import verify
from tests.verify.conftest import crds_of, real_charts, write

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(file.parent.name for file in GOLDEN.glob("v[0-9]*/spec.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_a_releases_chart_takes_what_is_rendered_for_it(case: str, tmp_path: Path, helm_tools: Tools) -> None:
    spec = api.load(GOLDEN / case / "spec.yaml")
    directory = write(files(api.draft(spec, api.targets(spec)[0])), tmp_path)
    release = spec.asked.release
    problems = verify(directory, real_charts(release), crds_of(release), helm_tools)
    assert [str(each) for each in problems if each.is_error] == []
