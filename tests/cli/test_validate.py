"""`llmdgen validate`: the formats, and what makes it fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.findings import Finding, Located, Severity
from tests.cli.conftest import SPEC, Llmdgen

WRONG = SPEC.replace("path: pd", "path: dp")


def test_a_good_spec_is_valid_and_nothing_is_written(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("validate", "chat.yaml")
    assert answer.code == 0
    assert answer.out.startswith("1 spec, 0 errors, 0 warnings, ")
    assert [line for line in answer.err.splitlines() if ": note " not in line] == []
    assert [entry.name for entry in Path().iterdir()] == ["chat.yaml"]


def test_an_error_stands_on_stderr_with_its_place(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(WRONG)
    answer = llmdgen("validate", "chat.yaml")
    assert answer.code == 1
    assert answer.err.startswith("chat.yaml:6:9: error ")
    assert len(answer.err.splitlines()) == 1


def test_a_finding_of_several_instance_types_is_said_once(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC.replace("openai/gpt-oss-120b", "openai/gpt-oss-120c"))
    answer = llmdgen("validate", "chat.yaml")
    lines = answer.err.splitlines()
    assert lines
    assert len(lines) == len(set(lines))


def test_two_specs_of_one_name_are_an_error(llmdgen: Llmdgen, spec: Path) -> None:
    Path("again.yaml").write_text(SPEC)
    answer = llmdgen("validate", "chat.yaml", "again.yaml")
    assert answer.code == 1
    assert answer.err.count("OUT004") == 2


@pytest.mark.parametrize(("severity", "strict"), [(Severity.WARNING, 1), (Severity.NOTE, 0)])
def test_strict_fails_for_warnings_and_not_for_notes(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch, severity: Severity, strict: int
) -> None:
    def one_finding(plan: object) -> tuple[Located, ...]:
        loaded = api.load("chat.yaml")
        return (Located(Finding("XXX001", severity, "says", "fix"), loaded.locate(("spec", "path"))),)

    monkeypatch.setattr(api, "check", one_finding)
    assert llmdgen("validate", "chat.yaml").code == 0
    answer = llmdgen("validate", "chat.yaml", "--strict")
    assert answer.code == strict
    assert answer.err == f"chat.yaml:6:9: {severity.value} XXX001: says (fix: fix)\n"


@pytest.mark.parametrize("form", ["json", "sarif"])
@pytest.mark.parametrize("text", [SPEC, WRONG])
def test_formats_for_machines_are_json_on_stdout(llmdgen: Llmdgen, spec: Path, form: str, text: str) -> None:
    spec.write_text(text)
    answer = llmdgen("validate", "chat.yaml", "--format", form)
    assert (answer.code, answer.err) == (int(text is WRONG), "")
    assert ('"error"' in json.dumps(json.loads(answer.out))) == (text is WRONG)


def test_the_github_format_annotates_the_line(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(WRONG)
    answer = llmdgen("validate", "chat.yaml", "--format", "github")
    assert answer.code == 1
    assert answer.out.startswith("::error file=chat.yaml,line=6,col=9")


def test_what_a_spec_says_does_not_reach_the_terminal_as_commands(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC.replace("path: pd-disaggregation", 'path: "\\e[2J\\ncleared"'))
    answer = llmdgen("validate", "chat.yaml")
    assert answer.code == 1
    assert "\x1b" not in answer.err
    assert len(answer.err.splitlines()) == 1
