"""Directories that nobody should have: one message each, and never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmdgen.verify.run import verify
from llmdgen.verify.schemas import read_crds
from llmdgen.verify.tools import Tools, VerifyError
from tests.verify.conftest import Good

BINARY = b"\xff\xfe\x00binary"


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
    "binary values": (lambda at: (at / "values/router.yaml").write_bytes(BINARY), "no UTF-8 text"),
    "a link to the outside": (a_link, "lies outside of"),
    "a binary object": (lambda at: (at / "chart/templates/decode.yaml").write_bytes(BINARY), "no UTF-8 text"),
    "an object that is no template": (
        lambda at: (at / "chart/templates/decode.yaml").write_text("image: {{ fail }\n"),
        "decode.yaml:1",
    ),
    "no Chart.yaml": (lambda at: (at / "chart/Chart.yaml").unlink(), "Chart.yaml"),
    "a list": (lambda at: (at / "helmfile.yaml").write_text("- a\n"), "is not a mapping"),
    "broken YAML": (lambda at: (at / "helmfile.yaml").write_text("a: ["), "is not plain YAML"),
    "binary arguments": (lambda at: (at / "vllm/decode.args").write_bytes(BINARY), "no UTF-8 text"),
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
        ("createNamespace: true", "createNamespace: true\n  args: [--post-renderer=MARK]", "helmDefaults of"),
        ("helmDefaults:", "helmBinary: MARK\nhelmDefaults:", "has helmBinary"),
        ("helmDefaults:", "bases: [MARK]\nhelmDefaults:", "has bases"),
        (
            "    chart: ./chart\n",
            "    chart: ./chart\n    hooks: [{events: [prepare], command: touch, args: [MARK]}]\n",
            "release pd-servers of helmfile.yaml has hooks",
        ),
        ("    chart: ./chart\n", "    chart: ./chart\n    postRenderer: MARK\n", "has postRenderer"),
        ("values/router.yaml", "values/router.yaml.gotmpl", "is a template"),
    ],
)
@pytest.mark.parametrize("with_charts", [True, False])
def test_nothing_of_a_strangers_helmfile_is_run(
    old: str, new: str, says: str, with_charts: bool, tmp_path: Path, pd: Good, stand_in_charts: Path, helm_tools: Tools
) -> None:
    directory, mark = pd.write(tmp_path / "pd"), tmp_path / "mark"
    file = directory / "helmfile.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new.replace("MARK", str(mark))))
    (found,) = verify(directory, stand_in_charts if with_charts else None, None, helm_tools)
    assert (found.code, found.is_error) == ("VER001", True)
    assert says in found.says
    assert not mark.exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [(BINARY, "no UTF-8 text"), (b"\nspec: {}\nnames:\n  kind: Gateway\n", "no complete CustomResourceDefinition")],
)
def test_a_broken_crd_is_named(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "crd.yaml"
    file.write_bytes(b"kind: CustomResourceDefinition\n" + data)
    with pytest.raises(VerifyError, match=says):
        read_crds(tmp_path, {"Gateway"})
