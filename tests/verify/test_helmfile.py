"""helmfile run on a directory: tools, charts, errors, and nothing of the user's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from llmdgen.rendering.files import files
from llmdgen.verify.helmfile import read_releases, template, template_files, with_charts
from llmdgen.verify.run import verify
from llmdgen.verify.tools import Tools, VerifyError, find_tools
from tests.verify.conftest import CASES, Good, crds_of, real_charts, write


def program(folder: Path, name: str, answer: str) -> str:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{answer}\n")
    file.chmod(0o755)
    return str(file)


def test_a_missing_tool_is_named_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match=r"helmfile is not .*fix: install helmfile"):
        find_tools(program(tmp_path, "helm", "echo v3.15.3"), str(tmp_path / "helmfile"))


def test_helm_4_is_refused_with_an_old_helmfile(tmp_path: Path) -> None:
    helm, helmfile = (
        program(tmp_path, "helm", "echo v4.0.1"),
        program(tmp_path, "helmfile", "echo 'helmfile version 0.166.0'"),
    )
    with pytest.raises(VerifyError, match=r"helmfile 0\.166\.0 does not drive helm 4\.0\.1"):
        find_tools(helm, helmfile)


def test_helm_4_goes_with_a_new_helmfile(tmp_path: Path) -> None:
    helm, helmfile = (
        program(tmp_path, "helm", "echo v4.0.1"),
        program(tmp_path, "helmfile", "echo 'helmfile version 1.2.1'"),
    )
    assert find_tools(helm, helmfile).helmfile_version == (1, 2, 1)


def test_a_tool_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="does not say its version: broken"):
        find_tools(program(tmp_path, "helm", "echo broken >&2; exit 3"), program(tmp_path, "helmfile", "echo 1.2.1"))


def test_releases_keep_their_order_and_charts_their_names(pd: Good) -> None:
    assert [(each.name, each.chart_name, each.is_local) for each in pd.releases] == [
        ("pd-router", "inferencepool", False),
        ("pd-servers", "chart", True),
    ]


@pytest.mark.parametrize("text", ["releases: []", "a: {{ x", "[]", "releases: [{name: x}]", "a: 1\na: 2"])
def test_a_file_without_usable_releases_is_an_error(text: str) -> None:
    with pytest.raises(VerifyError):
        read_releases(text)


def test_charts_of_a_folder_replace_the_remote_ones_as_data(pd: Good, stand_in_charts: Path) -> None:
    local = read_releases(with_charts(pd.files["helmfile.yaml"], stand_in_charts))
    assert [each.chart for each in local] == [str(stand_in_charts / "inferencepool"), "./chart"]
    assert all(each.is_local and not each.version for each in local)


def test_a_chart_that_is_not_in_the_folder_is_named(pd: Good, tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="there is no chart inferencepool"):
        with_charts(pd.files["helmfile.yaml"], tmp_path)


def test_charts_of_another_version_than_will_be_installed_are_refused(pd: Good, stand_in_charts: Path) -> None:
    text = pd.files["helmfile.yaml"].replace("version: v1.3.1", "version: v1.4.0")
    with pytest.raises(VerifyError, match=r"is 1\.3\.1, helmfile\.yaml installs v1\.4\.0"):
        with_charts(text, stand_in_charts)


def test_a_directory_without_helmfile_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match=r"has no helmfile\.yaml"):
        template(tmp_path)


def test_files_in_memory_and_the_directory_give_the_same(
    tmp_path: Path, pd: Good, stand_in_charts: Path, helm_tools: Tools
) -> None:
    written = template(pd.write(tmp_path), stand_in_charts, helm_tools)
    assert template_files(pd.files, stand_in_charts, helm_tools) == written


def test_a_directory_that_names_charts_by_a_relative_path_is_run_as_it_is(
    tmp_path: Path, pd: Good, stand_in_charts: Path, helm_tools: Tools
) -> None:
    pd.write(tmp_path / "x")
    shutil.copytree(stand_in_charts, tmp_path / "charts")
    text = with_charts(pd.files["helmfile.yaml"], tmp_path / "charts").replace(str(tmp_path / "charts"), "../charts")
    (tmp_path / "x" / "helmfile.yaml").write_text(text)
    before = sorted(tmp_path.rglob("*"))
    assert [each.texts for each in template(tmp_path / "x", None, helm_tools)] == [
        each.texts for each in template_files(pd.files, stand_in_charts, helm_tools)
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_what_helm_says_is_kept_and_the_users_helm_is_not_touched(
    tmp_path: Path, pd: Good, stand_in_charts: Path, helm_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HELM_PLUGINS", str(tmp_path / "nowhere"))
    files = {**pd.files, "values/router.yaml": "provider: {name: istio}\n"}
    with pytest.raises(VerifyError, match=r"modelServers is required"):
        template_files(files, stand_in_charts, helm_tools)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_was_rendered_with_charts_is_run_without_and_with_them(
    tmp_path: Path, pd: Good, stand_in_charts: Path, helm_tools: Tools
) -> None:
    shutil.copytree(stand_in_charts, tmp_path / "charts")
    directory = write(files(pd.plan, (), "../charts"), tmp_path / "pd")
    alone, given = template(directory, None, helm_tools), template(directory, stand_in_charts, helm_tools)
    assert [each.texts for each in alone] == [each.texts for each in given]


@pytest.mark.parametrize("case", CASES)
def test_a_good_directory_has_no_problems(case: str, tmp_path: Path, stand_in_charts: Path, helm_tools: Tools) -> None:
    good = Good(case)
    assert verify(good.write(tmp_path), stand_in_charts, crds_of(good.plan.release.name), helm_tools) == []


@pytest.mark.parametrize("case", CASES)
def test_a_good_directory_has_no_problems_with_the_real_chart(case: str, tmp_path: Path, helm_tools: Tools) -> None:
    good = Good(case)
    release = good.plan.release.name
    assert verify(good.write(tmp_path), real_charts(release), crds_of(release), helm_tools) == []
