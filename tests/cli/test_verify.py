"""`llmdgen verify`: which directories it takes, and what it says where helm is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Llmdgen


def test_all_directories_below_the_one_given_are_verified(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    llmdgen("render", "chat.yaml")
    monkeypatch.setenv("PATH", "/nonexistent")
    answer = llmdgen("verify", "rendered")
    assert answer.code == 1
    assert answer.out.splitlines() == [
        "rendered/chat/p5.48xlarge: 1 error, 0 further",
        "rendered/chat/p5en.48xlarge: 1 error, 0 further",
    ]
    assert answer.err.startswith("llmdgen verify: error VER001: helm is not on PATH ")
    assert answer.err.count("\n") == 1, "what is missing is said once"


def test_charts_are_named_or_fetched_and_not_both(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    answer = llmdgen("verify", "rendered", "--charts", ".", "--fetch-charts", "charts")
    assert answer.code == 64


def test_a_directory_that_nobody_rendered_is_wrong_usage(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("verify", ".")
    assert answer.code == 64
    assert "no helmfile.yaml in or below ." in answer.err


def test_a_secret_of_a_strange_tree_is_not_repeated(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    token = "hf_" + "aB3" * 12
    directory = Path("rendered/chat/p5.48xlarge")
    (directory / f"{token}.yaml").write_text("kind: Job\n")
    answer = llmdgen("verify", str(directory))
    assert answer.code == 1
    assert "VER008" in answer.err
    assert token not in answer.err
