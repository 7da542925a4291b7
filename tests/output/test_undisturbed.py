"""Two renders at once, signals in the middle, and what a killed one left behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from llmdgen.output.tree import Rendered, commit, prepare
from llmdgen.output.undisturbed import alone, make_directory, without_signals

SEAL = "0" * 64


def test_what_a_killed_render_staged_is_in_nobodys_way(tmp_path: Path) -> None:
    folder = tmp_path / "chat" / "p5"
    folder.mkdir(parents=True)
    (folder / ".a.yaml.llmdgen-new").write_text("half")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("somebody's")
    (folder / ".b.yaml.llmdgen-new").symlink_to(elsewhere)
    made = {"p5": Rendered(tool="0", spec=SEAL, facts=SEAL, files={"a.yaml": "a\n", "b.yaml": "b\n"})}
    commit(prepare(str(tmp_path), "chat", made))
    assert {file.name: file.read_text() for file in folder.iterdir()} == {"a.yaml": "a\n", "b.yaml": "b\n"}
    assert not (folder / "b.yaml").is_symlink()
    assert elsewhere.read_text() == "somebody's"


def test_one_waits_for_the_other(tmp_path: Path) -> None:
    out, order = str(tmp_path / "new" / "out"), []

    def second() -> None:
        with alone(out):
            order.append("second")

    with alone(out):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.05)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]
    assert not (tmp_path / "new").exists(), "made to be locked, and empty"


def test_a_directory_that_holds_something_stays(tmp_path: Path) -> None:
    with alone(str(tmp_path / "out")):
        (tmp_path / "out" / "file").write_text("")
    assert (tmp_path / "out" / "file").exists()


@pytest.mark.parametrize("out", ["file/out", "/proc/no/such"])
def test_where_nothing_can_be_locked_the_writing_itself_says_why(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("")
    with alone(str(tmp_path / out)):
        pass


def test_a_directory_that_somebody_else_makes_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = os.mkdir

    def beaten(path: str) -> None:
        mkdir(path)
        raise FileExistsError(path)

    monkeypatch.setattr(os, "mkdir", beaten)
    assert make_directory(str(tmp_path / "a" / "b")) == []
    assert (tmp_path / "a" / "b").is_dir()


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    done = []

    def block() -> None:
        with without_signals():
            signal.raise_signal(signal.SIGINT)
            done.append("all")

    try:
        with pytest.raises(KeyboardInterrupt):
            block()
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["all"]
