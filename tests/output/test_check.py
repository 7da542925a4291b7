"""The kinds of difference, told apart, each with its reason and what mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdgen.output.check import Difference, Kind, compare
from llmdgen.output.lock import LOCK_NAME, digest
from llmdgen.output.rules import OutputError
from llmdgen.output.tree import Rendered, commit, prepare

COMMAND = "llmdgen render spec.yaml"


def rendered(files: dict[str, str], tool: str = "0.1.0", spec: str = "0", facts: str = "0") -> Rendered:
    return Rendered(tool=tool, spec=spec * 64, facts=facts * 64, files=files)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    commit(prepare(str(tmp_path), "chat", {"p5": rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"})}))
    return tmp_path


def differences(out: Path, made: Rendered, whole: bool = True) -> list[Difference]:
    return compare(str(out), "chat", {"p5": made}, COMMAND, whole)


def only(out: Path, made: Rendered) -> Difference:
    (found,) = differences(out, made)
    return found


def test_what_was_just_rendered_does_not_differ(out: Path) -> None:
    assert differences(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"})) == []


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"spec": "1"}, "the spec changed"),
        ({"tool": "0.2.0"}, "llmdgen 0.1.0 wrote it, this is 0.2.0"),
        ({"facts": "1"}, "the facts changed"),
        ({"spec": "1", "facts": "1"}, "the spec changed, the facts changed"),
    ],
)
def test_a_file_as_we_left_it_is_stale_and_says_why(out: Path, made: dict[str, str], reason: str) -> None:
    found = only(out, rendered({"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"}, **made))
    assert (found.kind, found.says, found.mend) == (Kind.STALE, reason, COMMAND)
    assert found.path == f"{out}/chat/p5/a.yaml"
    assert "-a: 1\n+a: 2\n" in found.diff


def test_a_file_that_somebody_changed_is_hand_edited(out: Path) -> None:
    (out / "chat/p5/a.yaml").write_text("a: 3\n")
    found = only(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}))
    assert (found.kind, found.says) == (Kind.EDITED, "changed since it was rendered")
    assert found.mend == f"put the change into the spec, then {COMMAND}"
    assert "-a: 3\n+a: 1\n" in found.diff


def test_a_file_that_is_both_edited_and_stale_says_both(out: Path) -> None:
    (out / "chat/p5/a.yaml").write_text("a: 3\n")
    found = only(out, rendered({"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"}, spec="1"))
    assert (found.kind, found.says) == (Kind.EDITED, "changed since it was rendered; the spec changed")


def test_a_file_that_is_gone_is_missing(out: Path) -> None:
    (out / "chat/p5/a.yaml").unlink()
    found = only(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}))
    assert (found.kind, found.says) == (Kind.MISSING, "no such file")
    assert found.diff.startswith("--- /dev/null\n")


def test_a_file_no_longer_made_is_orphaned(out: Path) -> None:
    found = only(out, rendered({"a.yaml": "a: 1\n"}))
    assert (found.kind, found.mend) == (Kind.ORPHANED, COMMAND)
    assert "+++ /dev/null\n" in found.diff


def test_an_orphan_with_edits_has_to_be_removed_by_hand(out: Path) -> None:
    (out / "chat/p5/b.yaml").write_text("b: 2\n")
    found = only(out, rendered({"a.yaml": "a: 1\n"}))
    assert (found.kind, found.mend) == (Kind.ORPHANED, f"rm {out}/chat/p5/b.yaml && {COMMAND}")


def test_a_file_of_somebody_else_in_the_way_is_not_ours(out: Path) -> None:
    (out / "chat/p5/c.yaml").write_text("mine\n")
    found = only(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n", "c.yaml": "c: 1\n"}))
    assert (found.kind, found.mend) == (
        Kind.FOREIGN,
        f"mv {out}/chat/p5/c.yaml {out}/chat/p5/c.yaml.theirs && {COMMAND}",
    )


def test_a_lock_that_is_gone_is_missing_though_the_files_are_right(out: Path) -> None:
    (out / "chat" / LOCK_NAME).unlink()
    found = only(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}))
    assert (found.kind, found.path) == (Kind.MISSING, f"{out}/chat/{LOCK_NAME}")


def test_a_lock_that_names_another_version_is_stale_though_the_files_are_right(out: Path) -> None:
    found = only(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}, tool="0.2.0"))
    assert (found.kind, found.path) == (Kind.STALE, f"{out}/chat/{LOCK_NAME}")


def test_another_target_is_orphaned_only_where_the_whole_spec_is_compared(out: Path) -> None:
    made = rendered({"a.yaml": "a: 1\n"})
    commit(prepare(str(out), "chat", {"p6": made}, whole=False))
    same = rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"})
    assert [(each.kind, each.path) for each in differences(out, same)] == [(Kind.ORPHANED, f"{out}/chat/p6/a.yaml")]
    assert differences(out, same, whole=False) == []


def test_a_spec_that_was_never_rendered_misses_every_file(tmp_path: Path) -> None:
    found = differences(tmp_path, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}))
    assert [(each.kind, each.says) for each in found] == [(Kind.MISSING, "never rendered")] * 2


def test_what_a_strange_file_holds_does_not_reach_the_terminal(out: Path) -> None:
    (out / "chat/p5/a.yaml").write_bytes(b"\x1b[2Jcleared\xff\n")
    assert "-\\x1b[2Jcleared\\xff\n" in only(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"})).diff


def test_a_link_is_refused_rather_than_read(out: Path) -> None:
    (out / "chat/p5/a.yaml").unlink()
    (out / "chat/p5/a.yaml").symlink_to("/etc/passwd")
    with pytest.raises(OutputError, match="OUT003"):
        differences(out, rendered({"a.yaml": "a: 1\n"}))


def test_without_a_lock_what_differs_is_nobodys_and_the_lock_mends_it(out: Path) -> None:
    (out / "chat" / LOCK_NAME).unlink()
    lock, file = differences(out, rendered({"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"}))
    assert (lock.kind, lock.path) == (Kind.MISSING, f"{out}/chat/{LOCK_NAME}")
    assert lock.mend.startswith(f"git restore {out}/chat/{LOCK_NAME} && {COMMAND}; ")
    assert (file.kind, file.mend) == (Kind.FOREIGN, lock.mend)


def test_line_breaks_that_git_made_are_said_to_be_all_that_differs(out: Path) -> None:
    (out / "chat/p5/a.yaml").write_bytes(b"a: 1\r\n")
    found = only(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}))
    assert (found.kind, found.says, found.diff) == (Kind.EDITED, "its line breaks are CRLF, and all else is right", "")
    assert found.mend.endswith(f", then {COMMAND}")


def test_a_diff_is_no_longer_than_somebody_reads(out: Path) -> None:
    many = "".join(f"{number}: {'x' * 400}\n" for number in range(500))
    changed, new = differences(out, rendered({"a.yaml": many, "b.yaml": "b: 1\n", "c.yaml": many}))
    assert changed.diff.count("\n") == 101
    assert changed.diff.endswith("\n... 404 more lines\n")
    assert new.diff.count("\n") == 21
    assert max(map(len, changed.diff.splitlines())) == 303


def test_manifests_are_missed_by_a_call_without_them(out: Path) -> None:
    files = {"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}
    commit(prepare(str(out), "chat", {"p5": rendered({**files, "manifests/1-pod.yaml": "kind: Pod\n"})}))
    found = only(out, rendered(files))
    assert (found.kind, found.says) == (Kind.ORPHANED, "it was rendered with --manifests, and this call is without")
    assert found.mend == f"add --manifests to this call, or remove it: {COMMAND}"
    orphan, new = differences(out, rendered({**files, "manifests/2-pod.yaml": "kind: Pod\n"}))
    assert (orphan.mend, new.kind) == (COMMAND, Kind.MISSING)


@pytest.mark.parametrize(
    "name",
    [
        "kustomization.yaml",
        "manifests/9-clusterrolebinding-x.yaml",
        "chart/templates/x.yaml",
        "chart/templates/.hidden",
        "values/more/x.yaml",
        "p6/helmfile.yaml",
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_file_that_no_lock_knows_is_named_wherever_it_lies(out: Path, name: str, whole: bool) -> None:
    file = out / "chat" / (name if name.startswith("p6/") else f"p5/{name}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("kind: ClusterRoleBinding\n")
    (found,) = differences(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}), whole)
    assert (found.kind, found.path) == (Kind.FOREIGN, str(file))
    assert found.says == "no render wrote it, and what deploys the directory may apply it"
    assert found.mend == f"keep it elsewhere, or rm {file}"


def test_a_link_that_no_lock_knows_is_named_and_not_followed(out: Path) -> None:
    (out / "chat/p5/c.yaml").symlink_to("/etc/passwd")
    (out / "chat/p5/templates").symlink_to("/etc")
    found = differences(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}))
    assert [(each.kind, each.path) for each in found] == [
        (Kind.FOREIGN, f"{out}/chat/p5/c.yaml"),
        (Kind.FOREIGN, f"{out}/chat/p5/templates"),
    ]


def test_a_hostile_lock_that_names_the_stranger_does_not_hide_it(out: Path) -> None:
    (out / "chat/p5/c.yaml").write_text("c: 1\n")
    lock = out / "chat" / LOCK_NAME
    seal = digest(b"c: 1\n")
    lock.write_text(lock.read_text().replace('"files": {', f'"files": {{"c.yaml": "{seal}",'))
    found = only(out, rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"}))
    assert (found.kind, found.path) == (Kind.ORPHANED, f"{out}/chat/p5/c.yaml")


def test_files_that_people_write_beside_the_prerequisites_are_theirs(out: Path) -> None:
    (out / "chat/p5/cluster.yaml").write_text("clusterName: x\n")
    made = {"p5": rendered({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"})}
    assert compare(str(out), "chat", made, COMMAND, True, ("cluster.yaml",)) == []


def test_what_a_broken_off_render_left_is_named_and_nobody_is_blamed(out: Path) -> None:
    folder, after = out / "chat/p5", rendered({"a.yaml": "a: 2\n", "b.yaml": "b: 1\n"}, spec="1")
    broken = out / "elsewhere"
    commit(prepare(str(broken), "chat", {"p5": after}))
    (broken / "chat" / LOCK_NAME).rename(out / "chat" / LOCK_NAME)  # the lock takes its place before the files do
    staged = folder / ".a.yaml.4711.llmdgen-new"
    staged.write_text("a: 2\n")
    left, stale = differences(out, after)
    assert (left.kind, left.path, left.mend) == (Kind.ORPHANED, str(staged), COMMAND)
    assert (stale.kind, stale.says) == (Kind.STALE, "a render was broken off before it wrote it")
