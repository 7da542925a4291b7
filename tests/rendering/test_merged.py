"""A merged spec as text: a spec again, with the place of each value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmdgen.rendering.merged import merged
from llmdgen.spec.load import load_all, parse
from tests.specs import QWEN, spec_text

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("paths/*.yaml"), *ROOT.glob("examples/environments/[ps]*.yaml")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_loads_as_the_spec_that_it_shows(file: Path) -> None:
    for spec in load_all(file):
        assert [each.digest for each in parse(merged(spec), "merged.yaml")] == [spec.digest]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_place_in_it_holds_the_key_beside_it(file: Path) -> None:
    for spec in load_all(file):
        placed = re.findall(r"^ *(\S+):.*  # (.+):(\d+)$", merged(spec), re.M)
        assert len(placed) > 5
        for key, path, line in placed:
            lines = Path(path).read_text("utf-8").splitlines()
            # A list or an inner mapping in block style starts in the line below its key.
            assert any(re.search(rf"(^|[ {{]){re.escape(key)}:", each) for each in lines[int(line) - 2 : int(line)])


def test_values_that_are_no_plain_words_stay_what_they_are() -> None:
    args = {
        "a": "no",
        "b": "1e3",
        "c": None,
        "d": [],
        "e": {},
        "f": [{"g": "# h"}, [1.5]],
        "i": "two\nlines",
        "on": 1e300,
    }
    (spec,) = parse(spec_text("inference-scheduling", QWEN, ("p5.48xlarge",), engine={"args": args}), "spec.yaml")
    (again,) = parse(merged(spec), "merged.yaml")
    assert again.said == spec.said


def test_a_file_whose_name_has_several_lines_does_not_leave_the_comment() -> None:
    (spec,) = parse(spec_text("inference-scheduling", QWEN, ("p5.48xlarge",)), "a\nkind: b.yaml")
    assert parse(merged(spec), "merged.yaml")[0].said == spec.said
