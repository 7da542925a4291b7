"""One policy for colour, and findings in the order in which they are to be mended."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llmdgen.cli.terminal import complain, folded, has_colour
from llmdgen.cli.work import in_order_of
from llmdgen.findings import Finding, Located, Place, Severity
from tests.cli.conftest import Llmdgen


@pytest.mark.parametrize(
    ("environment", "is_terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"CI": "true"}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_terminals_and_whoever_asks_get_colour(
    environment: dict[str, str], is_terminal: bool, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert has_colour() is coloured


def test_every_command_colours_its_findings_alike(llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    for command in (["validate"], ["render"], ["plan"], ["images"], ["upgrade"], ["diff", "a.yaml"]):
        assert "\x1b[31merror SPEC010:\x1b[0m" in llmdgen(*command, "none.yaml").err


def test_sentences_wrap_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = "\n".join(
        [
            "\x1b[33m  ~ decode image: ghcr.io/a-long-name -> ghcr.io/b\x1b[0m",
            "  flags    max-num-seqs: 4, block-size: 128, more: 1",
            "short",
        ]
    )
    assert folded(text) == text
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert folded(text).splitlines() == [
        "\x1b[33m  ~ decode image: ghcr.io/a-long-name ->",
        "      ghcr.io/b\x1b[0m",
        "  flags    max-num-seqs: 4, block-size:",
        "           128, more: 1",
        "short",
    ]


def test_a_diff_and_an_explanation_stay_within_a_terminal(llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    spec = llmdgen("init", "pd-disaggregation").out
    Path("old.yaml").write_text(spec)
    Path("new.yaml").write_text(spec.replace("release: v0.9.0", "release: v0.6.0"))
    asked = (
        ["diff", "old.yaml", "new.yaml"],
        ["explain", "wide-ep"],
        ["explain", "EFA003"],
        ["explain", "VLLM001"],
        ["--help"],
    )
    piped = [llmdgen(*each).out for each in asked]
    monkeypatch.setattr("llmdgen.cli.terminal._is_terminal", lambda stream: True)
    for each, raw in zip(asked, piped, strict=True):
        shown = llmdgen(*each).out
        assert shown.split() == raw.split()
        assert not [line for line in shown.splitlines() if len(line) > 80 and " " in line.strip()]


def test_a_check_wraps_what_it_says_of_a_file_and_not_the_diff(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    piped = llmdgen("render", "--check", "chat.yaml").out
    monkeypatch.setattr("llmdgen.cli.terminal._is_terminal", lambda stream: True)
    shown = llmdgen("render", "--check", "chat.yaml").out
    assert "/SUMMARY.md: missing: never rendered (fix: llmdgen\n    render chat.yaml)\n--- /dev/null\n" in shown
    assert [line for line in shown.splitlines() if line[:1] in "+-"] == [
        line for line in piped.splitlines() if line[:1] in "+-"
    ]


def _found(code: str, severity: Severity, line: int, file: str = "a.yaml") -> Located:
    return Located(Finding(code, severity, "", ""), Place(file, line))


def test_what_makes_others_moot_comes_first() -> None:
    fit, path = _found("FIT001", Severity.ERROR, 2), _found("PATH001", Severity.ERROR, 9)
    other, note = _found("EFA003", Severity.ERROR, 1), _found("MOD016", Severity.NOTE, 1)
    warning, of_another = _found("GW004", Severity.WARNING, 3), _found("SPEC001", Severity.ERROR, 1, "b.yaml")
    found = [note, warning, other, of_another, fit, path, fit]
    assert in_order_of(["a.yaml", "b.yaml"], found) == [path, fit, other, warning, note, of_another]


def test_an_error_shows_no_token(capsys: pytest.CaptureFixture[str]) -> None:
    complain("git: cannot read https://ci:aB3aB3aB3aB3@example.com: denied")
    error = capsys.readouterr().err
    assert "aB3aB3" not in error
    assert error.startswith("git: cannot read https://")
    assert error.endswith("@example.com: denied\n")
