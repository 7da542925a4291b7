"""Where `extends` may lead, and what is said where it leads nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmdgen.spec.extends import Tree, Unusable


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two directories, beside a file that is outside of it; the current directory."""
    root = tmp_path / "repository"
    for folder in (".git", "bases", "specs"):
        (root / folder).mkdir(parents=True)
    for file in ("bases/common.yaml", "specs/staging.yaml", "specs/production.yaml", "../outside.yaml"):
        (root / file).write_text("")
    monkeypatch.chdir(root)
    return root


def base(said: str, by: str = "specs/production.yaml") -> str:
    return Tree(by).base(said, by)


def refusal(said: str, by: str = "specs/production.yaml") -> str:
    with pytest.raises(Unusable) as caught:
        base(said, by)
    found = caught.value.finding
    assert found.fix
    return f"{found.code}: {found.says} (fix: {found.fix})"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("staging.yaml", "specs/staging.yaml"),
        ("./staging.yaml", "specs/staging.yaml"),
        ("../bases/common.yaml", "bases/common.yaml"),
        (".././specs/../bases//common.yaml", "bases/common.yaml"),
    ],
)
def test_a_base_is_found_from_the_file_that_names_it_and_named_as_briefly_as_can_be(
    repository: Path, said: str, found: str
) -> None:
    assert base(said) == found


def test_a_base_of_a_spec_by_its_absolute_path_has_an_absolute_path(repository: Path) -> None:
    assert base("../bases/common.yaml", str(repository / "specs/production.yaml")) == str(
        repository / "bases/common.yaml"
    )


def test_the_current_directory_does_not_matter(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "specs")
    assert base("../bases/common.yaml", "production.yaml") == "../bases/common.yaml"


@pytest.mark.parametrize(
    "said", ["/etc/base.yaml", "~/base.yaml", "~root/base.yaml", "C:/base.yaml", "c:base.yaml", "file:///base.yaml"]
)
def test_a_path_that_is_not_relative_is_refused(repository: Path, said: str) -> None:
    assert refusal(said).startswith("SPEC023")


@pytest.mark.parametrize("said", ["bases", "../bases", "..", ".", "../bases/", "common.json", "common", ".git/config"])
def test_what_is_not_a_yaml_file_is_refused_before_it_is_looked_for(repository: Path, said: str) -> None:
    assert refusal(said).startswith("SPEC024")


def test_a_directory_with_the_name_of_a_yaml_file_is_refused(repository: Path) -> None:
    (repository / "specs/all.yaml").mkdir()
    assert refusal("all.yaml") == "SPEC024: 'all.yaml' is a directory (fix: name the file in it)"


def test_a_pipe_is_refused_and_not_waited_for(repository: Path) -> None:
    os.mkfifo(repository / "specs/pipe.yaml")
    assert "is not a regular file" in refusal("pipe.yaml")


def test_a_file_outside_of_the_repository_is_refused_whether_it_is_there_or_not(repository: Path) -> None:
    told = "is outside of the repository (fix: put the base into the repository of the spec)"
    assert refusal("../../outside.yaml") == f"SPEC023: '../../outside.yaml' {told}"
    assert refusal("../../absent.yaml") == f"SPEC023: '../../absent.yaml' {told}"


def test_a_link_that_leads_outside_of_the_repository_is_refused(repository: Path) -> None:
    (repository / "specs/linked.yaml").symlink_to("../../outside.yaml")
    (repository / "bases/up").symlink_to("../..")
    assert refusal("linked.yaml").startswith("SPEC023")
    assert refusal("../bases/up/outside.yaml").startswith("SPEC023")


def test_a_link_inside_of_the_repository_is_followed(repository: Path) -> None:
    (repository / "specs/linked.yaml").symlink_to("../bases/common.yaml")
    assert base("linked.yaml") == "specs/linked.yaml"


def test_two_dots_behind_a_linked_directory_start_where_it_leads(repository: Path) -> None:
    (repository / "deep/er").mkdir(parents=True)
    (repository / "deep/common.yaml").write_text("")
    (repository / "linked").symlink_to("deep/er")
    (repository / "linked/production.yaml").write_text("")
    found = base("../common.yaml", "linked/production.yaml")
    assert Path(found).resolve() == repository.resolve() / "deep/common.yaml"


def test_links_in_a_circle_lead_nowhere(repository: Path) -> None:
    (repository / "specs/one.yaml").symlink_to("two.yaml")
    (repository / "specs/two.yaml").symlink_to("one.yaml")
    assert refusal("one.yaml").startswith("SPEC024")


def test_the_innermost_repository_is_the_repository(repository: Path) -> None:
    (repository / "specs/.git").write_text("gitdir: ../.git/modules/specs\n")
    assert refusal("../bases/common.yaml").startswith("SPEC023")


def test_without_a_repository_a_base_is_in_the_directory_of_the_spec(repository: Path) -> None:
    (repository / ".git").rmdir()
    assert base("staging.yaml") == "specs/staging.yaml"
    told = "is outside of the spec's directory, and no directory above that is a git repository"
    assert told in refusal("../bases/common.yaml")


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("../bases/commons.yaml", "did you mean ../bases/common.yaml?"),
        ("../bases/common.yml", "did you mean ../bases/common.yaml?"),
        ("stagin.yaml", "did you mean staging.yaml?"),
        ("bases/common.yaml", "did you mean ../bases/common.yaml? It starts from this file"),
        ("productions.yaml", "check the path, which starts from this file"),
        ("../nowhere/common.yaml", "check the path, which starts from this file"),
    ],
)
def test_a_path_that_leads_nowhere_gets_the_one_that_was_meant(repository: Path, said: str, fix: str) -> None:
    assert refusal(said) == f"SPEC024: there is no file '{said}' (fix: {fix})"


def test_a_path_that_the_system_cannot_take_leads_nowhere(repository: Path) -> None:
    assert "there is no file" in refusal(f"{'x' * 5000}.yaml")
