"""Broken specs as users write them, each beside the report it gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import llmdgen.spec.rules
from llmdgen.checks.registry import RULES
from llmdgen.findings import SpecError
from llmdgen.report.text import write
from llmdgen.spec.load import load_all

BAD_SPECS = Path(__file__).parent.parent / "bad_specs"
FILES = sorted(BAD_SPECS.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_broken_spec_gets_its_report(
    file: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BAD_SPECS)
    with pytest.raises(SpecError) as caught:
        load_all(file.name)
    golden(file.with_suffix(".expected"), write(caught.value.findings))
    for each in caught.value.findings:
        assert each.finding.fix, "every finding says what to do"
        assert each.finding.code in RULES


def test_no_expectation_is_left_over() -> None:
    assert {file.stem for file in BAD_SPECS.glob("*.expected")} == {file.stem for file in FILES}


def test_every_rule_of_reading_is_shown_by_a_broken_spec() -> None:
    shown = "".join(file.read_text("utf-8") for file in BAD_SPECS.glob("*.expected"))
    declared = [code for code in RULES if code.startswith(("SPEC", "SEC"))]
    # A missing file and foreign tokens are shown elsewhere: the one needs no file, the other would trip scanners.
    assert [code for code in declared if code not in shown] == ["SPEC010", "SEC004"]
    assert llmdgen.spec.rules
