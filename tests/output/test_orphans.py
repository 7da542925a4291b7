"""Directories whose spec is gone are told from those that other calls render."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdgen.output.check import Kind
from llmdgen.output.orphans import orphaned
from llmdgen.output.tree import Rendered, commit, prepare

TALK = "apiVersion: llmdgen.dev/v1alpha1\nkind: WellLitPath\nmetadata: {name: talk}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with rendered/chat and rendered/talk, and the spec of chat."""
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()
    Path("paths").mkdir()
    Path("paths/chat.yaml").write_text(TALK.replace("talk", "chat"))
    made = Rendered(tool="0.1.0", spec="0" * 64, facts="0" * 64, files={"a.yaml": "a: 1\n"})
    for name in ("chat", "talk"):
        commit(prepare("rendered", name, {"p5": made}))
    return tmp_path


def found(out: str = "rendered", spec: str = "paths/chat.yaml") -> list[tuple[str, Kind]]:
    return [(each.path, each.kind) for each in orphaned(out, ("chat", "cluster"), (spec,))]


def test_a_directory_without_a_spec_is_orphaned(here: Path) -> None:
    (each,) = orphaned("rendered", ("chat", "cluster"), ("paths/chat.yaml",))
    assert (each.path, each.kind, each.says) == ("rendered/talk", Kind.ORPHANED, "no spec has this name any more")
    assert each.mend == "`helmfile destroy` where it is deployed, then rm -r rendered/talk"


@pytest.mark.parametrize("spec", ["paths/talk.yaml", "talk.yml", "teams/a/b/any.yaml"])
@pytest.mark.parametrize("text", [TALK, TALK.replace("{name: talk}", '{"name": "talk"}'), TALK + "  broken: [\n"])
def test_a_spec_anywhere_in_the_repository_accounts_for_its_directory(here: Path, spec: str, text: str) -> None:
    Path(spec).parent.mkdir(parents=True, exist_ok=True)
    Path(spec).write_text(text)
    assert found() == []


def test_a_spec_of_a_longer_name_does_not(here: Path) -> None:
    Path("paths/other.yaml").write_text(TALK.replace("talk", "talk-two"))
    assert found() == [("rendered/talk", Kind.ORPHANED)]


def test_what_is_rendered_is_no_spec(here: Path) -> None:
    Path("rendered/talk/spec.yaml").write_text(TALK)
    assert found() == [("rendered/talk", Kind.ORPHANED)]


def test_from_a_directory_below_the_whole_repository_is_searched(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("teams").mkdir()
    Path("teams/talk.yaml").write_text(TALK)
    monkeypatch.chdir("paths")
    assert found("../rendered", "chat.yaml") == []


def test_where_other_specs_would_be_is_not_known_nothing_is_said(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".git").rmdir()
    assert found() == [("rendered/talk", Kind.ORPHANED)]
    monkeypatch.chdir("paths")
    assert found("../rendered", "chat.yaml") == []


def test_directories_that_llmdgen_did_not_write_are_no_orphans(here: Path) -> None:
    Path("rendered/talk/llmdgen.lock").unlink()
    assert found() == []


def test_edits_in_an_orphan_are_named(here: Path) -> None:
    Path("rendered/talk/p5/a.yaml").write_text("a: 2\n")
    (each,) = orphaned("rendered", ("chat", "cluster"), ("paths/chat.yaml",))
    assert each.says == "no spec has this name any more, and edited by hand: p5/a.yaml"


def test_an_output_directory_that_is_not_there_has_no_orphans(here: Path) -> None:
    assert found("nowhere") == []
