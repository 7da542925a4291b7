"""Broken specs as users write them, each beside the report it gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import llmdgen.spec.rules
from llmdgen import api
from llmdgen.cli import work
from llmdgen.findings import Located, Severity
from llmdgen.registry import RULES
from llmdgen.report.text import write

BAD_SPECS = Path(__file__).parent.parent / "bad_specs"
FILES = sorted(BAD_SPECS.glob("*.yaml"))


def report(file: str) -> list[Located]:
    """What validate says of a file, notes left out."""
    read, findings = work.read([file])
    for spec in read:
        findings += api.judged(spec, api.targets(spec)).findings
    return [found for found in findings if found.finding.severity is not Severity.NOTE]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_broken_spec_gets_its_report(
    file: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BAD_SPECS)
    findings = report(file.name)
    assert any(found.is_error for found in findings), "a broken spec is refused"
    golden(file.with_suffix(".expected"), write(findings))
    for each in findings:
        assert each.finding.fix, "every finding says what to do"
        assert each.finding.code in RULES


def test_no_expectation_is_left_over() -> None:
    assert {file.stem for file in BAD_SPECS.glob("*.expected")} == {file.stem for file in FILES}


def test_every_rule_of_reading_is_shown_by_a_broken_spec() -> None:
    shown = "".join(file.read_text("utf-8") for file in BAD_SPECS.glob("*.expected"))
    declared = [code for code in RULES if code.startswith(("SPEC", "SEC"))]
    # A missing file needs no file to show it.
    assert [code for code in declared if code not in shown] == ["SPEC010"]
    assert llmdgen.spec.rules
