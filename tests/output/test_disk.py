"""Two renders at once, signals in the middle, and what a killed one left behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from llmdgen.output.disk import alone, make_directory, without_signals
from llmdgen.output.tree import Rendered, commit, prepare

SEAL = "0" * 64


def made(text: str) -> dict[str, Rendered]:
    return {"p5": Rendered(tool="0", spec=SEAL, facts=SEAL, files={"a.yaml": text, "deep/b.yaml": text})}


def test_what_a_killed_render_staged_goes_even_where_there_is_nothing_to_write(tmp_path: Path) -> None:
    commit(prepare(str(tmp_path), "chat", made("a\n")))
    folder, elsewhere = tmp_path / "chat" / "p5", tmp_path / "elsewhere"
    elsewhere.write_text("somebody's")
    (folder / ".a.yaml.1.llmdgen-new").write_text("half")
    (tmp_path / "chat" / "p6").mkdir()
    (tmp_path / "chat" / "p6" / ".c.yaml.1.llmdgen-new").write_text("of a target that never was")
    (folder / ".link.1.llmdgen-new").symlink_to(elsewhere)
    writing = prepare(str(tmp_path), "chat", made("a\n"), is_alone=True)
    assert (writing.written, len(writing.left)) == (0, 2)
    commit(writing)
    assert sorted(file.name for file in folder.iterdir()) == [".link.1.llmdgen-new", "a.yaml", "deep"]
    assert not (tmp_path / "chat" / "p6").exists()
    assert elsewhere.read_text() == "somebody's"


def test_where_others_may_be_at_work_what_they_staged_stays(tmp_path: Path) -> None:
    commit(prepare(str(tmp_path), "chat", made("a\n")))
    theirs = tmp_path / "chat" / "p5" / f".a.yaml.{os.getppid()}.llmdgen-new"
    theirs.write_text("theirs")
    commit(prepare(str(tmp_path), "chat", made("b\n")))
    assert theirs.read_text() == "theirs"
    assert (tmp_path / "chat" / "p5" / "a.yaml").read_text() == "b\n"


def test_after_a_kill_between_two_files_the_next_render_blames_nobody(tmp_path: Path) -> None:
    commit(prepare(str(tmp_path), "chat", made("a\n")))
    child = os.fork()
    if child == 0:
        replace, done = os.replace, []

        def killed(source: str, final: str) -> None:
            if len(done) == 2:  # the lock and one file
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(final)
            replace(source, final)

        os.replace = killed  # type: ignore[assignment]
        commit(prepare(str(tmp_path), "chat", made("b\n")))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    writing = prepare(str(tmp_path), "chat", made("c\n"), is_alone=True)
    assert (writing.edited, writing.kept, len(writing.left)) == ((), (), 1)
    commit(writing)
    assert {file.read_text() for file in (tmp_path / "chat" / "p5").rglob("*") if file.is_file()} == {"c\n"}


def test_one_waits_for_the_other(tmp_path: Path) -> None:
    out, order = str(tmp_path / "new" / "out"), []

    def second() -> None:
        with alone(out, lambda: order.append("waits")):
            order.append("second")

    with alone(out):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.05)
        order.append("first")
    waiting.join(5)
    assert order == ["waits", "first", "second"]
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
