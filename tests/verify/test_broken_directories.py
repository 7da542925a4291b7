"""Directories that nobody should have: one message each, and never a traceback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from llmdgen.verify.helmfile import Tools
from llmdgen.verify.run import verify
from llmdgen.verify.schemas import read_crds
from llmdgen.verify.state import VerifyError
from tests.verify.conftest import Good

BINARY = b"\xff\xfe\x00binary"
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


def a_link(directory: Path) -> None:
    file = directory / "values" / "router.yaml"
    outside = directory.parent / "router.yaml"
    file.rename(outside)
    file.symlink_to(outside)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing values": (
        lambda at: (at / "values/router.yaml").unlink(),
        "names values/router.yaml, and there is no such file",
    ),
    "binary values": (lambda at: (at / "values/router.yaml").write_bytes(BINARY), "not UTF-8 text"),
    "a link to the outside": (a_link, "is a symbolic link"),
    "a binary object": (lambda at: (at / "chart/templates/decode.yaml").write_bytes(BINARY), "not UTF-8 text"),
    "a linked directory": (lambda at: (at / "chart/crds").symlink_to("/etc"), "is a symbolic link"),
    "the environment of the process": (
        lambda at: (at / "chart/templates/x.yaml").symlink_to("/proc/self/environ"),
        "is a symbolic link",
    ),
    "a pipe": (lambda at: os.mkfifo(at / "values/x.yaml"), "is not a regular file"),
    "aliases that multiply": (lambda at: (at / "helmfile.yaml").write_text(BOMB), "too large, aliases included"),
    "no Chart.yaml": (lambda at: (at / "chart/Chart.yaml").unlink(), "Chart.yaml"),
    "a list": (lambda at: (at / "helmfile.yaml").write_text("- a\n"), "Expected `object`, got `array`"),
    "broken YAML": (lambda at: (at / "helmfile.yaml").write_text("a: ["), "is not plain YAML"),
    "binary arguments": (lambda at: (at / "vllm/decode.args").write_bytes(BINARY), "not UTF-8 text"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_directory_is_one_problem_with_a_fix(
    case: str, tmp_path: Path, pd: Good, stand_in_charts: Path, helm_tools: Tools
) -> None:
    change, says = BROKEN[case]
    directory = pd.write(tmp_path / "pd")
    change(directory)
    (found,) = verify(directory, stand_in_charts, None, helm_tools)
    assert (found.code, found.is_error) == ("VER001", True)
    assert says in found.says
    assert found.fix


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("createNamespace: true", 'createNamespace: true\n  args: [\'{{ exec "touch" (list "MARK") }}\']', "holds {{"),
        ("# Deploy", '# {{ exec "touch" (list "MARK") }}\n# Deploy', "holds {{"),
        ("createNamespace: true", "createNamespace: true\n  args: [--post-renderer=MARK]", "unknown field `args`"),
        ("createNamespace: true", "createNamespace: true\n  postRenderer: MARK", "unknown field `postRenderer`"),
        ("helmDefaults:", "helmBinary: MARK\nhelmDefaults:", "unknown field `helmBinary`"),
        ("helmDefaults:", "kustomizeBinary: MARK\nhelmDefaults:", "unknown field `kustomizeBinary`"),
        ("helmDefaults:", "bases: [MARK]\nhelmDefaults:", "unknown field `bases`"),
        ("helmDefaults:", "helmfiles: [MARK]\nhelmDefaults:", "unknown field `helmfiles`"),
        ("helmDefaults:", "hooks: [{events: [prepare], command: MARK}]\nhelmDefaults:", "unknown field `hooks`"),
        ("helmDefaults:", "environments: {default: {values: [MARK]}}\nhelmDefaults:", "unknown field `environments`"),
        ("helmDefaults:", "repositories: [{name: x, url: git+ssh://MARK}]\nhelmDefaults:", "field `repositories`"),
        ("\nreleases:", "\n---\nhooks: []\n---\nreleases:", "is not plain YAML"),
        ("\nreleases:", "\nreleases: []\nreleases:", "duplicate key releases"),
        ("name: pd-servers", "name: ../../../../tmp/x", "at `$.releases[1].name`"),
        ("name: pd-servers", "name: --post-renderer=MARK", "at `$.releases[1].name`"),
        ("      - values/router.yaml", "      - a: ref+exec://MARK", "at `$.releases[0].values[0]`"),
        ("values/router.yaml", "git::https://evil.example/x.git@values.yaml", "at `$.releases[0].values[0]`"),
        ("values/router.yaml", "../../values/router.yaml", "at `$.releases[0].values[0]`"),
        ("chart: ./chart", "chart: git::https://evil.example/x.git@chart", "at `$.releases[1].chart`"),
        ("chart: ./chart", "chart: /MARK", "at `$.releases[1].chart`"),
        ("chart: ./chart", "chart: ../..", "at `$.releases[1].chart`"),
        ("chart: ./chart\n", "chart: ./chart\n    chart: x\n", "duplicate key chart"),
        ("chart: ./chart\n", "chart: ./chart\n    transformers: [MARK]\n", "unknown field `transformers`"),
        ("chart: ./chart\n", "chart: ./chart\n    secrets: [MARK]\n", "unknown field `secrets`"),
        (
            "    chart: ./chart\n",
            "    chart: ./chart\n    hooks: [{events: [prepare], command: touch, args: [MARK]}]\n",
            "unknown field `hooks` - at `$.releases[1]`",
        ),
        ("    chart: ./chart\n", "    chart: ./chart\n    postRenderer: MARK\n", "unknown field `postRenderer`"),
        ("values/router.yaml", "values/router.yaml.gotmpl", "at `$.releases[0].values[0]`"),
    ],
)
@pytest.mark.parametrize("with_charts", [True, False])
def test_nothing_of_a_strangers_helmfile_is_run(
    old: str, new: str, says: str, with_charts: bool, tmp_path: Path, pd: Good, stand_in_charts: Path
) -> None:
    directory, mark = pd.write(tmp_path / "pd"), tmp_path / "mark"
    file = directory / "helmfile.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new.replace("MARK", str(mark))))
    (found,) = verify(directory, stand_in_charts if with_charts else None, None, Tools("/not/run", "/not/run"))
    assert (found.code, found.is_error) == ("VER001", True)
    assert says in found.says
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("chart/templates/decode.yaml", "image: {{ .Values.image }}\n"),
        ("chart/templates/x.yaml", "{{ range $i := untilStep 0 1000000000 1 }}{{ end }}\n"),
        ("chart/templates/_x.tpl", "{{ define }}\n"),
        ("chart/templates/.x", "{{ fail }}\n"),
        ("chart/values.yaml", "a: 1\n"),
        ("chart/.helmignore", "decode.yaml\n"),
        ("chart/Chart.lock", "dependencies: []\n"),
        ("chart/charts/x/Chart.yaml", "name: x\n"),
        (
            "chart/Chart.yaml",
            "apiVersion: v2\nname: x\nversion: 1.0.0\ndependencies: [{name: x, repository: 'file:///'}]\n",
        ),
    ],
)
def test_helm_is_not_started_on_a_chart_that_it_would_execute(
    name: str, text: str, tmp_path: Path, pd: Good, stand_in_charts: Path
) -> None:
    directory = pd.write(tmp_path / "pd")
    (directory / name).parent.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text)
    found = verify(directory, stand_in_charts, None, Tools("/not/run", "/not/run"))
    assert [(each.code, each.of) for each in found] == [("VER110", name)]


def test_a_chart_is_fetched_from_no_address_but_a_releases(tmp_path: Path, pd: Good) -> None:
    directory = pd.write(tmp_path / "pd")
    file = directory / "helmfile.yaml"
    file.write_text(file.read_text().replace("oci://registry.k8s.io/", "oci://169.254.169.254/"))
    (found,) = verify(directory, None, None, Tools("/not/run", "/not/run"))
    assert (found.code, found.is_error) == ("VER001", True)
    assert "where no llm-d release has one" in found.says


def test_prerequisites_that_nobody_rendered_are_not_passed_over(tmp_path: Path) -> None:
    text = "releases:\n- name: x\n  chart: istio/istiod\n  hooks: [{events: [prepare], command: touch}]\n"
    (tmp_path / "helmfile.yaml").write_text(text)
    codes = [(each.code, each.is_error) for each in verify(tmp_path, None, None, Tools("/not/run", "/not/run"))]
    assert codes == [("VER008", True), ("VER109", False)]


def test_a_file_that_the_lock_does_not_know_is_caught_wherever_it_lies(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[2] / "rendered" / "cluster", tmp_path / "cluster")
    directory = tmp_path / "cluster" / "hyperpod-istio"
    (directory / "cluster.yaml").write_text("clusterName: x\n")  # as its README.md asks
    assert [each.code for each in verify(directory)] == ["VER109"]
    (directory / "more").mkdir()
    (directory / "more" / "x.yaml").write_text("kind: ClusterRoleBinding\n")
    assert [(each.code, each.of) for each in verify(directory)] == [
        ("VER008", "more/x.yaml"),
        ("VER109", "helmfile.yaml"),
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [(BINARY, "not UTF-8 text"), (b"\nspec: {}\nnames:\n  kind: Gateway\n", "no complete CustomResourceDefinition")],
)
def test_a_broken_crd_is_named(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "crd.yaml"
    file.write_bytes(b"kind: CustomResourceDefinition\n" + data)
    with pytest.raises(VerifyError, match=says):
        read_crds(tmp_path, {"Gateway"})
