"""Writing: only what changes, only what is ours, all or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmdgen.output import tree
from llmdgen.output.disk import Standing
from llmdgen.output.lock import LOCK_NAME, Entry, Lock, digest, dump
from llmdgen.output.rules import OutputError
from llmdgen.output.tree import Rendered, commit, prepare

SEAL = "0" * 64


def rendered(**files: str) -> Rendered:
    named = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    return Rendered(tool="0.1.0", spec=SEAL, facts=SEAL, files=named)


def write(out: Path, targets: dict[str, Rendered], whole: bool = True) -> tree.Writing:
    writing = prepare(str(out), "chat", targets, whole)
    commit(writing)
    return writing


def files_below(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def refusals(out: Path, targets: dict[str, Rendered]) -> list[tuple[str, str]]:
    with pytest.raises(OutputError) as caught:
        prepare(str(out), "chat", targets)
    return [(each.finding.code, os.path.relpath(each.place.path, out)) for each in caught.value.findings]


def test_a_first_render_writes_every_file_and_the_lock(tmp_path: Path) -> None:
    writing = write(tmp_path, {"p5": rendered(a_yaml="a\n", values__b_yaml="b\n")})
    assert files_below(tmp_path / "chat").keys() == {LOCK_NAME, "p5/a.yaml", "p5/values/b.yaml"}
    assert (tmp_path / "chat/p5/values/b.yaml").read_text() == "b\n"
    assert (writing.written, writing.unchanged) == (2, 0)


def test_a_second_render_touches_nothing(tmp_path: Path) -> None:
    targets = {"p5": rendered(a_yaml="a\n", b_yaml="b\n")}
    write(tmp_path, targets)
    for file in (tmp_path / "chat").rglob("*"):
        os.utime(file, ns=(1, 1))
    writing = write(tmp_path, targets)
    assert (writing.replaces, writing.unchanged) == ({}, 2)
    assert {file.stat().st_mtime_ns for file in (tmp_path / "chat").rglob("*")} == {1}


def test_only_the_file_that_changes_is_touched(tmp_path: Path) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n", b_yaml="b\n")})
    os.utime(tmp_path / "chat/p5/a.yaml", ns=(1, 1))
    write(tmp_path, {"p5": rendered(a_yaml="a\n", b_yaml="B\n")})
    assert (tmp_path / "chat/p5/a.yaml").stat().st_mtime_ns == 1
    assert (tmp_path / "chat/p5/b.yaml").read_text() == "B\n"


def test_a_file_no_longer_made_goes_with_its_empty_directory(tmp_path: Path) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n", deep__er__b_yaml="b\n"), "p6": rendered(a_yaml="a\n")})
    writing = write(tmp_path, {"p5": rendered(a_yaml="a\n")})
    assert writing.removes == ("p5/deep/er/b.yaml", "p6/a.yaml")
    assert files_below(tmp_path / "chat").keys() == {LOCK_NAME, "p5/a.yaml"}
    assert not (tmp_path / "chat/p5/deep").exists()
    assert not (tmp_path / "chat/p6").exists()


def test_a_file_no_longer_made_but_edited_by_hand_stays(tmp_path: Path) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n", b_yaml="b\n")})
    (tmp_path / "chat/p5/b.yaml").write_text("mine\n")
    writing = write(tmp_path, {"p5": rendered(a_yaml="a\n")})
    assert (writing.removes, writing.kept) == ((), ("p5/b.yaml",))
    assert (tmp_path / "chat/p5/b.yaml").read_text() == "mine\n"


def test_a_file_of_somebody_else_is_never_removed(tmp_path: Path) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n")})
    (tmp_path / "chat/p5/notes.txt").write_text("mine\n")
    write(tmp_path, {"p6": rendered(a_yaml="a\n")})
    assert files_below(tmp_path / "chat").keys() == {LOCK_NAME, "p5/notes.txt", "p6/a.yaml"}


def test_a_file_of_somebody_else_in_the_way_stops_the_whole_spec(tmp_path: Path) -> None:
    (tmp_path / "chat/p5").mkdir(parents=True)
    (tmp_path / "chat/p5/b.yaml").write_text("mine\n")
    (tmp_path / "chat/p5/c.yaml").write_text("mine\n")
    found = refusals(tmp_path, {"p5": rendered(a_yaml="a\n", b_yaml="b\n", c_yaml="c\n")})
    assert found == [("OUT001", "chat/p5/b.yaml"), ("OUT001", "chat/p5/c.yaml")]
    assert files_below(tmp_path) == {"chat/p5/b.yaml": "mine\n", "chat/p5/c.yaml": "mine\n"}


def test_a_file_that_already_holds_the_text_becomes_ours(tmp_path: Path) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n")})
    (tmp_path / "chat" / LOCK_NAME).unlink()
    assert write(tmp_path, {"p5": rendered(a_yaml="a\n")}).unchanged == 1
    assert write(tmp_path, {"p5": rendered(a_yaml="A\n")}).written == 1


def test_a_file_of_ours_that_was_edited_is_restored_and_named(tmp_path: Path) -> None:
    targets = {"p5": rendered(a_yaml="a\n")}
    write(tmp_path, targets)
    (tmp_path / "chat/p5/a.yaml").write_text("mine\n")
    assert write(tmp_path, targets).edited == ("p5/a.yaml",)
    assert (tmp_path / "chat/p5/a.yaml").read_text() == "a\n"


def test_a_render_of_one_target_leaves_the_others(tmp_path: Path) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n", b_yaml="b\n"), "p6": rendered(a_yaml="a\n")})
    write(tmp_path, {"p5": rendered(a_yaml="A\n")}, whole=False)
    assert files_below(tmp_path / "chat").keys() == {LOCK_NAME, "p5/a.yaml", "p6/a.yaml"}
    assert tree.read_lock(Standing(str(tmp_path / "chat"))).targets.keys() == {"p5", "p6"}
    assert write(tmp_path, {"p6": rendered(a_yaml="a\n")}).removes == ("p5/a.yaml",)


@pytest.mark.parametrize("link", ["chat", "chat/p5", "chat/p5/values"])
def test_nothing_is_written_through_a_linked_directory(tmp_path: Path, link: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(elsewhere)
    assert ("OUT003", link) in refusals(out, {"p5": rendered(values__b_yaml="b\n")})
    assert list(elsewhere.iterdir()) == []


def test_a_linked_file_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious\n")
    (tmp_path / "chat/p5").mkdir(parents=True)
    (tmp_path / "chat/p5/a.yaml").symlink_to(target)
    assert refusals(tmp_path, {"p5": rendered(a_yaml="a\n")}) == [("OUT003", "chat/p5/a.yaml")]
    assert target.read_text() == "precious\n"


def test_an_orphan_behind_a_link_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n"), "p6": rendered(a_yaml="a\n")})
    (tmp_path / "chat/p6").rename(tmp_path / "moved")
    (tmp_path / "chat/p6").symlink_to(tmp_path / "moved")
    assert write(tmp_path, {"p5": rendered(a_yaml="a\n")}).kept == ("p6/a.yaml",)
    assert (tmp_path / "moved/a.yaml").read_text() == "a\n"


def test_the_output_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    write(tmp_path / "out", {"p5": rendered(a_yaml="a\n")})
    assert (tmp_path / "real/chat/p5/a.yaml").read_text() == "a\n"


@pytest.mark.parametrize(
    "evil", ["../../precious", "/etc/passwd", "..", "a/../../b", "", "a//b", "./a", "a\\..\\b", "a\nb"]
)
def test_a_lock_that_names_anything_outside_removes_nothing(tmp_path: Path, evil: str) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n")})
    (tmp_path / "precious").write_text("precious\n")
    lock = tmp_path / "chat" / LOCK_NAME
    lock.write_text(lock.read_text().replace('"a.yaml"', f'"{evil}"'.replace("\\", "\\\\").replace("\n", "\\n")))
    before = files_below(tmp_path)
    assert refusals(tmp_path, {"p6": rendered(a_yaml="a\n")}) == [("OUT002", f"chat/{LOCK_NAME}")]
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("evil", ["..", "../chat/..", "p5/../.."])
def test_a_lock_whose_target_leads_outside_removes_nothing(tmp_path: Path, evil: str) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n")})
    (tmp_path / "precious").write_text("precious\n")
    stolen = Entry(tool="0", spec=SEAL, facts=SEAL, files={"precious": digest(b"precious\n")})
    (tmp_path / "chat" / LOCK_NAME).write_text(dump(Lock(targets={evil: stolen})))
    before = files_below(tmp_path)
    assert refusals(tmp_path, {"p6": rendered(a_yaml="a\n")}) == [("OUT002", f"chat/{LOCK_NAME}")]
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("text", ["", "[]", "{", "<<<<<<< HEAD\n", "\xff", '{"targets": {"..": {}}}', "[" * 100_000])
def test_a_damaged_lock_stops_the_render(tmp_path: Path, text: str) -> None:
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / LOCK_NAME).write_text(text, "latin-1")
    assert refusals(tmp_path, {"p5": rendered(a_yaml="a\n")}) == [("OUT002", f"chat/{LOCK_NAME}")]
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == [LOCK_NAME]


def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n", b_yaml="b\n")})
    before = files_below(tmp_path)
    writing = prepare(str(tmp_path), "chat", {"p5": rendered(a_yaml="A\n", new__c_yaml="C\n")})
    stage = tree.stage

    def full(final: str, data: bytes) -> str:
        if final.endswith("c.yaml"):
            raise OSError(28, "No space left on device", final)
        return stage(final, data)

    monkeypatch.setattr(tree, "stage", full)
    with pytest.raises(OSError, match="No space left"):
        commit(writing)
    assert files_below(tmp_path) == before
    assert not (tmp_path / "chat/p5/new").exists()


def test_a_render_after_a_crash_between_two_files_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"p5": rendered(a_yaml="a\n", b_yaml="b\n", old_yaml="old\n")})
    replace, after = os.replace, {"p5": rendered(a_yaml="A\n", b_yaml="B\n", c_yaml="C\n")}

    def crash(source: str, destination: str) -> None:
        if destination.endswith("b.yaml"):
            raise OSError(5, "Input/output error", destination)
        replace(source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash)
        with pytest.raises(OSError, match="Input/output"):
            write(tmp_path, after)
    write(tmp_path, after)
    assert files_below(tmp_path / "chat").keys() == {LOCK_NAME, "p5/a.yaml", "p5/b.yaml", "p5/c.yaml"}
    assert (tmp_path / "chat/p5/b.yaml").read_text() == "B\n"


def test_a_path_that_leaves_the_target_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    made = Rendered(tool="0", spec=SEAL, facts=SEAL, files={"../x": ""})
    with pytest.raises(ValueError, match="would leave"):
        prepare(str(tmp_path), "chat", {"p5": made})
