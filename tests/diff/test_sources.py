"""Sides: specs, directories and git revisions, and what is wrong with them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from .conftest import PD, changed, write_tree
from .test_meaning import WHAT

Llmdgen = Callable[..., tuple[int, str, str]]
TWO = changed(PD, {"spec.instanceTypes": ["p5.48xlarge", "p5en.48xlarge"]})
MORE = {"spec.decode.args.max-num-seqs": 64}
SAME = "no difference in meaning ({} compared)\n"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def spec_file(path: str, spec: dict[str, Any]) -> str:
    Path(path).write_bytes(msgspec.json.encode(spec))
    return path


def git(*arguments: str) -> None:
    identity = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b.c",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "core.hooksPath=/dev/null",
    )
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def commit(spec: dict[str, Any], where: str = "rendered") -> None:
    write_tree(Path(where), spec)
    git("add", "-A")
    git("commit", "-qm", "render")


def test_specs_are_compared_with_what_they_extend(llmdgen: Llmdgen) -> None:
    base = {key: value for key, value in PD.items() if key != "metadata"}
    over = {**{key: PD[key] for key in ("apiVersion", "kind", "metadata")}, "extends": "base.yaml"}
    spec_file("base.yaml", base)
    whole, extending = spec_file("whole.yaml", PD), spec_file("over.yaml", over)
    assert llmdgen("diff", whole, extending) == (0, SAME.format("1 target"), "")
    spec_file("over.yaml", {**over, "spec": {"decode": {"args": {"max-num-seqs": 64}}}})
    code, out, _ = llmdgen("diff", whole, extending)
    assert code == 2
    assert "max-num-seqs" in out


@pytest.fixture
def repository(llmdgen: Llmdgen) -> Llmdgen:
    """A repository with two commits on main that differ in one flag, and a branch from the first with another."""
    git("init", "-qb", "main")
    commit(PD)
    git("branch", "side")
    commit(changed(PD, MORE))
    git("checkout", "-q", "side")
    commit(changed(PD, {"spec.decode.args.seed": 7}))
    return llmdgen


def test_two_specs_are_compared(llmdgen: Llmdgen) -> None:
    code, out, err = llmdgen("diff", spec_file("a.yaml", PD), spec_file("b.yaml", changed(PD, MORE)))
    assert (code, err) == (2, "")
    assert "  + decode --max-num-seqs: 64\n" in out


@pytest.mark.parametrize(
    "below", ["rendered", "rendered/chat", "rendered/chat/p5.48xlarge"], ids=["all", "deployment", "target"]
)
def test_a_spec_is_the_same_as_what_it_renders(llmdgen: Llmdgen, below: str) -> None:
    write_tree(Path("rendered"), PD)
    assert llmdgen("diff", spec_file("a.yaml", PD), below) == (0, SAME.format("1 target"), "")


def test_two_trees_are_compared_target_by_target(llmdgen: Llmdgen) -> None:
    write_tree(Path("old"), TWO)
    write_tree(Path("new"), changed(TWO, MORE))
    code, out, _ = llmdgen("diff", "old", "new", "--format", "json")
    assert code == 2
    # What both targets change alike comes first, then what only their KV caches tell apart.
    both, *each = [section["targets"] for section in json.loads(out)["sections"]]
    assert (both, each) == (["p5.48xlarge", "p5en.48xlarge"], [["p5.48xlarge"], ["p5en.48xlarge"]])


def test_two_targets_are_compared_whatever_they_are_called(llmdgen: Llmdgen) -> None:
    write_tree(Path("rendered"), TWO)
    code, out, _ = llmdgen("diff", "rendered/chat/p5.48xlarge", "rendered/chat/p5en.48xlarge")
    assert code == 2
    assert "instance type: p5.48xlarge -> p5en.48xlarge" in out


@needs_git
def test_two_dots_compare_two_revisions(repository: Llmdgen) -> None:
    code, out, _ = repository("diff", "main..side")
    assert code == 2
    assert "  - decode --max-num-seqs: 64\n" in out
    assert "  + decode --seed: 7\n" in out


@needs_git
def test_three_dots_compare_with_the_merge_base(repository: Llmdgen) -> None:
    code, out, _ = repository("diff", "main...side")
    assert code == 2
    assert "--max-num-seqs" not in out
    assert "  + decode --seed: 7\n" in out


@needs_git
def test_a_side_left_out_is_head(repository: Llmdgen) -> None:
    assert repository("diff", "side..") == (0, SAME.format("1 target"), "")


@needs_git
def test_revisions_specs_and_directories_are_compared_with_each_other(repository: Llmdgen) -> None:
    assert repository("diff", "HEAD", "rendered") == (0, SAME.format("1 target"), "")
    assert repository("diff", "main~1", spec_file("a.yaml", PD)) == (0, SAME.format("1 target"), "")


@needs_git
def test_a_revision_alone_is_compared_with_the_disk(repository: Llmdgen) -> None:
    assert repository("diff", "HEAD") == (0, SAME.format("1 target"), "")
    code, out, _ = repository("diff", "main")
    assert code == 2
    assert "  - decode --max-num-seqs: 64\n" in out


def render(spec: dict[str, Any]) -> None:
    """A spec beside its rendered tree, as `llmdgen render` writes it, both committed."""
    from llmdgen.cli.main import main

    Path("paths").mkdir(exist_ok=True)
    assert main(("render", spec_file("paths/chat.yaml", spec))) == 0
    git("add", "-A")
    git("commit", "-qm", "render")


STALE = (
    "stale: rendered/chat (p5.48xlarge): the spec changed since it was rendered, and what is compared is what is "
    "rendered: `llmdgen render paths/chat.yaml` first\n"
)


@needs_git
def test_a_tree_that_is_not_what_its_spec_gives_is_said_to_be_stale(llmdgen: Llmdgen) -> None:
    git("init", "-qb", "main")
    render(PD)
    same = SAME.format("1 target")
    assert llmdgen("diff", "main") == (0, same, "")
    spec_file("paths/chat.yaml", changed(PD, MORE))
    nothing = same.replace("meaning", "meaning in what is rendered")
    for named in ((), ("rendered/chat",), ("rendered/chat/p5.48xlarge",)):
        assert llmdgen("diff", "main", *named) == (2, STALE + nothing, "")
    found = json.loads(llmdgen("diff", "main", "--format", "json")[1])
    assert found["differs"] is True
    assert found["stale"][0]["mend"] == "llmdgen render paths/chat.yaml"
    assert "**stale**: rendered/chat" in llmdgen("diff", "main", "--format", "markdown")[1]
    # Whoever names the spec itself compares with what it gives now.
    assert not llmdgen("diff", "rendered", "paths/chat.yaml")[1].startswith("stale")
    assert llmdgen("render", "paths/chat.yaml")[0] == 0
    code, out, _ = llmdgen("diff", "main")
    assert code == 2
    assert not out.startswith("stale")


@needs_git
def test_what_is_checked_out_of_a_range_may_be_stale_too(llmdgen: Llmdgen) -> None:
    git("init", "-qb", "main")
    render(PD)
    git("checkout", "-qb", "side")
    spec_file("paths/chat.yaml", changed(PD, MORE))
    assert llmdgen("diff", "main...side")[0] == 0  # nobody committed it
    git("commit", "-qam", "spec")
    assert llmdgen("diff", "main...side") == (
        2,
        STALE + SAME.format("1 target").replace("ing", "ing in what is rendered"),
        "",
    )
    assert llmdgen("diff", "main...", "--", "rendered")[1].startswith("stale: ")
    git("checkout", "-q", "main")
    assert llmdgen("diff", "main...side")[0] == 0


@needs_git
def test_a_type_that_was_never_rendered_is_stale_and_a_comment_is_not(llmdgen: Llmdgen) -> None:
    git("init", "-qb", "main")
    render(PD)
    spec_file("paths/chat.yaml", TWO)
    assert llmdgen("diff", "main")[1].startswith("stale: rendered/chat (p5.48xlarge, p5en.48xlarge): the spec changed")
    Path("paths/chat.yaml").write_text("# said\n" + json.dumps(PD))
    assert llmdgen("diff", "main")[0] == 0


@needs_git
def test_of_several_specs_of_one_name_one_has_to_agree(llmdgen: Llmdgen) -> None:
    git("init", "-qb", "main")
    render(PD)
    spec_file("paths/another.yaml", changed(PD, MORE))
    assert llmdgen("diff", "main")[0] == 0


@needs_git
def test_a_revision_beside_a_directory_is_read_at_that_directory(llmdgen: Llmdgen) -> None:
    git("init", "-qb", "main")
    write_tree(Path("rendered"), changed(PD, {"metadata.name": "talk"}))
    commit(PD)
    assert llmdgen("diff", "HEAD", "rendered/chat") == (0, SAME.format("1 target"), "")
    assert llmdgen("diff", "rendered/talk/p5.48xlarge", "HEAD") == (0, SAME.format("1 target"), "")


@needs_git
def test_a_spec_beside_a_tree_is_compared_with_its_own_deployments(llmdgen: Llmdgen) -> None:
    git("init", "-qb", "main")
    write_tree(Path("rendered"), changed(PD, {"metadata.name": "talk"}))
    commit(TWO)
    both = spec_file("two.yaml", TWO)
    assert llmdgen("diff", "rendered", both) == (0, SAME.format("2 targets"), "")
    code, out, _ = llmdgen("diff", "HEAD", spec_file("one.yaml", PD))
    assert code == 2
    assert "- chat on p5en.48xlarge: removed" in out
    assert "talk" not in out


@needs_git
def test_specs_of_revisions_are_read_with_what_they_extend(llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", "-qb", "main")
    for folder in ("paths", "bases"):
        Path(folder).mkdir()
    base = {key: value for key, value in PD.items() if key != "metadata"}
    own = {**{key: PD[key] for key in ("apiVersion", "kind", "metadata")}, "extends": "../bases/all.yaml"}
    spec_file("paths/chat.yaml", own)
    spec_file("bases/all.yaml", base)
    git("add", "-A")
    git("commit", "-qm", "spec")
    spec_file("bases/all.yaml", changed(base, MORE))
    code, out, err = llmdgen("diff", "main:paths/chat.yaml", "paths/chat.yaml")
    assert (code, err) == (2, "")
    assert "  + decode --max-num-seqs: 64\n" in out
    git("commit", "-qam", "base")
    ranged = llmdgen("diff", "main~1..main", "--", "paths/chat.yaml")
    assert (ranged[0], ranged[1]) == (2, out)
    monkeypatch.chdir("paths")
    assert llmdgen("diff", "main~1..main", "--", "chat.yaml") == ranged
    assert llmdgen("diff", "main:chat.yaml", "chat.yaml")[0] == 0


@needs_git
def test_a_spec_that_one_revision_has_is_added_and_one_that_none_has_is_an_error(repository: Llmdgen) -> None:
    spec_file("a.yaml", PD)
    git("add", "-A")
    git("commit", "-qm", "spec")
    assert "+ chat on p5.48xlarge: added" in repository("diff", "HEAD~1..HEAD", "--", "a.yaml")[1]
    code, _, err = repository("diff", "main:a.yaml", "a.yaml")
    assert (code, err.partition(" (fix: ")[0]) == (
        1,
        "main:a.yaml: error: no rendered target below it, and no spec",
    )


@needs_git
def test_a_spec_of_a_revision_that_is_wrong_is_an_error_at_its_line_there(repository: Llmdgen) -> None:
    Path("a.yaml").write_text("apiVersion: llmdgen.dev/v1alpha1\nkind: WellLitPath\nextends: ../../../../etc/passwd\n")
    git("add", "-A")
    git("commit", "-qm", "spec")
    code, out, err = repository("diff", "HEAD:a.yaml", "a.yaml")
    assert (code, out) == (1, "")
    assert "HEAD:a.yaml:3:10: error SPEC" in err
    assert "/tmp" not in err


def test_a_new_spec_that_no_render_would_pass_is_an_error(llmdgen: Llmdgen) -> None:
    wrong = spec_file("wrong.yaml", changed(PD, {"spec.decode.parallelism.tensor": 5}))
    code, out, err = llmdgen("diff", spec_file("a.yaml", PD), wrong)
    assert (code, out) == (1, "")
    assert "wrong.yaml:1:" in err
    assert llmdgen("diff", wrong, "a.yaml")[0] in (1, 2)


@needs_git
def test_nothing_is_checked_out_and_the_index_stays(repository: Llmdgen) -> None:
    index = Path(".git/index").read_bytes()
    Path("rendered/chat/p5.48xlarge/helmfile.yaml").write_text("edited: true\n")
    repository("diff", "main..side")
    assert Path("rendered/chat/p5.48xlarge/helmfile.yaml").read_text() == "edited: true\n"
    assert Path(".git/index").read_bytes() == index


@needs_git
def test_a_tree_elsewhere_is_named_behind_two_dashes(llmdgen: Llmdgen) -> None:
    git("init", "-qb", "main")
    commit(PD, "deploy/out")
    commit(changed(PD, MORE), "deploy/out")
    assert llmdgen("diff", "HEAD~1..HEAD", "--", "deploy/out")[0] == 2
    code, out, err = llmdgen("diff", "HEAD~1..HEAD")
    assert (code, out) == (1, "")
    says = "no rendered target below it, and no spec, in HEAD~1 or HEAD"
    assert err == f"rendered: error: {says} (fix: name its path after --)\n"


@needs_git
def test_paths_are_relative_to_the_directory_one_is_in(repository: Llmdgen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("rendered")
    assert repository("diff", "main..side", "--", ".")[0] == 2
    assert repository("diff", "main..side", "--", "chat/p5.48xlarge")[0] == 2
    code, _, err = repository("diff", "main..side", "--", "../..")
    assert code == 1
    assert "outside repository" in err


@needs_git
def test_a_target_of_one_revision_is_added(llmdgen: Llmdgen) -> None:
    git("init", "-qb", "main")
    Path("README").write_text("x")
    git("add", "README")
    git("commit", "-qm", "start")
    commit(PD)
    size = "size of chat on p5.48xlarge: new, nodes 1, GPUs 8, EFA interfaces 32, pods 5\n\n"
    assert llmdgen("diff", "HEAD~1..HEAD") == (2, f"{size}+ chat on p5.48xlarge: added ({WHAT})\n", "")


@needs_git
def test_a_revision_that_is_none_is_an_error_with_a_fix(repository: Llmdgen) -> None:
    for arguments in (("nowhere..HEAD",), ("nowhere", "HEAD"), ("--", "--output=x", "HEAD")):
        code, out, err = repository("diff", *arguments)
        assert (code, out) == (1, "")
        assert "error: neither a file, nor a directory, nor a git revision (fix: " in err


@needs_git
def test_outside_of_a_repository_is_an_error_with_a_fix(llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path.cwd().parent))
    code, _, err = llmdgen("diff", "main..side")
    assert code == 1
    assert err.startswith("git: error: not a git repository")
    assert "(fix: run this in a repository" in err


@needs_git
def test_a_symbolic_link_in_a_revision_is_refused(repository: Llmdgen) -> None:
    file = Path("rendered/chat/p5.48xlarge/chart/templates/decode.yaml")
    file.unlink()
    file.symlink_to("/etc/passwd")
    git("commit", "-qam", "link")
    code, _, err = repository("diff", "main..HEAD")
    assert code == 1
    assert err.startswith("HEAD:rendered/chat/p5.48xlarge/chart/templates/decode.yaml: error: a symbolic link")


def test_a_symbolic_link_in_a_tree_is_refused(llmdgen: Llmdgen) -> None:
    write_tree(Path("a"), PD)
    write_tree(Path("b"), PD)
    file = Path("b/chat/p5.48xlarge/chart/templates/decode.yaml")
    file.unlink()
    file.symlink_to(Path("a/chat/p5.48xlarge/chart/templates/decode.yaml").resolve())
    code, _, err = llmdgen("diff", "a", "b")
    assert code == 1
    assert err == (
        "b/chat/p5.48xlarge/chart/templates/decode.yaml: error: a symbolic link, or something else than a file "
        "(fix: put the file itself there)\n"
    )


def test_a_linked_directory_is_not_followed(llmdgen: Llmdgen) -> None:
    write_tree(Path("a"), PD)
    Path("b").mkdir()
    Path("b/chat").symlink_to(Path("a/chat").resolve())
    code, _, err = llmdgen("diff", "a", "b")
    assert code == 1
    assert err.startswith("b: error: no rendered target here or below")


def test_a_file_that_is_too_large_is_refused(llmdgen: Llmdgen) -> None:
    write_tree(Path("a"), PD)
    Path("a/chat/p5.48xlarge/chart/templates/decode.yaml").write_text("#" * (4 * 2**20 + 1))
    code, _, err = llmdgen("diff", "a", "a")
    assert code == 1
    assert "larger than anything that llmdgen writes" in err


def test_yaml_that_is_broken_is_named_with_line_and_column(llmdgen: Llmdgen) -> None:
    write_tree(Path("a"), PD)
    write_tree(Path("b"), PD)
    Path("b/chat/p5.48xlarge/chart/templates/decode.yaml").write_text("kind: Deployment\nspec: {\n")
    code, _, err = llmdgen("diff", "a", "b")
    assert code == 1
    assert err.startswith("b/chat/p5.48xlarge/chart/templates/decode.yaml:3:1: error: this is not YAML: ")


@pytest.mark.parametrize("file", ["values/router.yaml", "chart/Chart.yaml", "allocation.yaml"])
def test_a_target_without_one_of_its_files_is_an_error_and_not_a_target_that_is_gone(
    llmdgen: Llmdgen, file: str
) -> None:
    write_tree(Path("a"), PD)
    write_tree(Path("b"), PD)
    Path("b/chat/p5.48xlarge", file).unlink()
    code, out, err = llmdgen("diff", "a", "b")
    assert (code, out) == (1, "")
    says = f"{file} is missing beside helmfile.yaml"
    assert err == f"b/chat/p5.48xlarge: error: {says} (fix: restore the file, or render it again)\n"


def test_colour_is_left_out_where_the_environment_says_so(llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmdgen.cli import terminal

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert terminal.has_colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.has_colour()


def test_a_directory_that_is_not_rendered_is_an_error_with_a_fix(llmdgen: Llmdgen) -> None:
    Path("empty").mkdir()
    code, _, err = llmdgen("diff", "empty", "empty")
    assert code == 1
    assert "(fix: name a directory that `llmdgen render` wrote)" in err


def test_a_spec_that_is_wrong_is_an_error_at_its_line(llmdgen: Llmdgen) -> None:
    Path("a.yaml").write_text("apiVersion: llmdgen.dev/v1alpha1\nkind: Nothing\n")
    code, _, err = llmdgen("diff", "a.yaml", spec_file("b.yaml", PD))
    assert code == 1
    assert "a.yaml:2:7: error SPEC" in err


@pytest.mark.parametrize("arguments", [(), ("a.yaml",), ("a", "b", "c", "d"), ("a..b", "c", "d")])
def test_wrong_usage_exits_64(llmdgen: Llmdgen, arguments: tuple[str, ...]) -> None:
    code, out, err = llmdgen("diff", *arguments)
    assert (code, out) == (64, "")
    assert "Usage: llmdgen diff" in err


def test_a_tree_of_more_files_than_a_review_should_read_is_refused(
    llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(Path("a"), PD)
    monkeypatch.setattr("llmdgen.diff.sources.FILES", 5)
    code, _, err = llmdgen("diff", "a", "a")
    assert code == 1
    assert "more than 5 files" in err


@needs_git
def test_files_that_are_small_in_git_and_large_in_memory_are_refused(
    llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init", "-qb", "main")
    commit(PD)
    monkeypatch.setattr("llmdgen.diff.sources.ALL_BYTES", 10_000)
    for sides in (("HEAD", "HEAD"), ("rendered", "rendered")):
        code, _, err = llmdgen("diff", *sides)
        assert code == 1
        assert "MiB in all files" in err


def test_a_target_deeper_than_anything_is_refused(llmdgen: Llmdgen) -> None:
    write_tree(Path("a"), PD)
    Path("a/chat/p5.48xlarge", *"x" * 60).mkdir(parents=True)
    code, _, err = llmdgen("diff", "a", "a")
    assert code == 1
    assert "deeper than 50 directories" in err
