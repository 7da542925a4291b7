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
    assert [line.partition(": ")[0] for line in answer.err.splitlines()] == [
        "rendered/chat/p5.48xlarge/helmfile.yaml:1:1",
        "rendered/chat/p5en.48xlarge/helmfile.yaml:1:1",
    ]
    assert "error VER001: helm is not on PATH" in answer.err


def test_a_directory_that_nobody_rendered_is_wrong_usage(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("verify", ".")
    assert answer.code == 64
    assert "no helmfile.yaml in or below ." in answer.err
