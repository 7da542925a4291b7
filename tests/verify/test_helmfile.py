"""helmfile run on a directory: tools, charts, errors, and nothing of the user's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from llmdgen.rendering.files import files
from llmdgen.verify.files import read_files
from llmdgen.verify.helmfile import Tools, find_tools, template
from llmdgen.verify.run import fetch, verify
from llmdgen.verify.state import VerifyError, read_state, state_text
from tests.verify.conftest import CASES, Good, crds_of, real_charts


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
    assert find_tools(helm, helmfile) == Tools(helm, helmfile)


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
        read_state(text)


def test_what_helmfile_gets_is_what_was_read_and_nothing_else(pd: Good) -> None:
    text = pd.files["helmfile.yaml"] + "# a comment\n"
    written = state_text(read_state(text))
    assert "#" not in written
    assert read_state(written) == read_state(text)


def test_a_chart_that_is_not_in_the_folder_is_named(pd: Good, tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="there is no chart inferencepool"):
        template(pd.files, tmp_path)


def test_charts_of_another_version_than_will_be_installed_are_refused(pd: Good, stand_in_charts: Path) -> None:
    text = pd.files["helmfile.yaml"].replace("version: v1.3.1", "version: v1.4.0")
    with pytest.raises(VerifyError, match=r"is 1\.3\.1, helmfile\.yaml installs v1\.4\.0"):
        template({**pd.files, "helmfile.yaml": text}, stand_in_charts)


def test_a_directory_without_helmfile_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match=r"there is no helmfile\.yaml"):
        template(read_files(tmp_path))


def test_a_directory_that_names_charts_by_a_relative_path_is_run_as_it_is(
    tmp_path: Path, pd: Good, stand_in_charts: Path, helm_tools: Tools
) -> None:
    shutil.copytree(stand_in_charts, tmp_path / "charts")
    there = files(pd.plan, (), "../charts")
    before = sorted(tmp_path.rglob("*"))
    alone = template(there, None, helm_tools, tmp_path / "pd")
    for given in (template(there, stand_in_charts, helm_tools), template(pd.files, stand_in_charts, helm_tools)):
        assert [each.texts for each in alone] == [each.texts for each in given]
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(VerifyError, match="say where the charts are"):
        template(there)


def test_what_helm_says_is_kept_and_the_users_helm_is_not_touched(
    tmp_path: Path, pd: Good, stand_in_charts: Path, helm_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HELM_PLUGINS", str(tmp_path / "nowhere"))
    there = {**pd.files, "values/router.yaml": "provider: {name: istio}\n"}
    with pytest.raises(VerifyError, match=r"modelServers is required"):
        template(there, stand_in_charts, helm_tools)
    assert list(tmp_path.iterdir()) == []


def test_the_routers_chart_is_fetched_from_its_release_whatever_the_directory_says(
    pd: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, log = pd.write(tmp_path / "pd"), tmp_path / "log"
    text = pd.files["helmfile.yaml"].replace("oci://registry.k8s.io/", "oci://evil.example/")
    (directory / "helmfile.yaml").write_text(text)
    pull = f"""case $1 in version) echo v3.15.3 ;; *) echo "$@" >>{log}; mkdir -p "${{5#*=}}/inferencepool"
    echo 'version: 1.3.1' >"${{5#*=}}/inferencepool/Chart.yaml" ;; esac"""
    program(tmp_path, "helm", pull.replace("$5", "$6").replace("{5#", "{6#"))
    program(tmp_path, "helmfile", "echo 'helmfile version 1.2.1'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for _ in range(2):
        fetch(directory, tmp_path / "charts")
    (call,) = log.read_text().splitlines()
    chart = pd.plan.release.charts["router"]
    assert call == f"pull {chart.repository} --version {chart.version} --untar --untardir={tmp_path / 'charts'}"


@pytest.mark.parametrize("case", CASES)
def test_a_good_directory_has_no_problems(case: str, tmp_path: Path, stand_in_charts: Path, helm_tools: Tools) -> None:
    good = Good(case)
    assert verify(good.write(tmp_path), stand_in_charts, crds_of(good.plan.release.name), helm_tools) == []


@pytest.mark.parametrize("case", CASES)
def test_a_good_directory_has_no_problems_with_the_real_chart(case: str, tmp_path: Path, helm_tools: Tools) -> None:
    good = Good(case)
    release = good.plan.release.name
    assert verify(good.write(tmp_path), real_charts(release), crds_of(release), helm_tools) == []
