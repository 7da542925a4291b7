"""Directories that nobody should have: one message each, and never a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from llmdgen.verify.problem import VerifyError
from llmdgen.verify.run import verify
from llmdgen.verify.schemas import read_crds
from llmdgen.verify.tools import Tools
from tests.verify.conftest import DATA

BINARY = b"\xff\xfe\x00binary"


def a_link(directory: Path) -> None:
    file = directory / "values" / "ms.yaml"
    outside = directory.parent / "ms.yaml"
    file.rename(outside)
    file.symlink_to(outside)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing values": (lambda at: (at / "values/ms.yaml").unlink(), "names values/ms.yaml, and there is no such file"),
    "binary values": (lambda at: (at / "values/ms.yaml").write_bytes(BINARY), "no UTF-8 text"),
    "a link to the outside": (a_link, "lies outside of"),
    "a list": (lambda at: (at / "helmfile.yaml").write_text("- a\n"), "is not a mapping"),
    "broken YAML": (lambda at: (at / "helmfile.yaml").write_text("a: ["), "is not plain YAML"),
    "binary arguments": (lambda at: (at / "vllm/decode.args").write_bytes(BINARY), "no UTF-8 text"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_directory_is_one_problem_with_a_fix(
    case: str, tmp_path: Path, stand_in_charts: Path, helm_tools: Tools
) -> None:
    change, says = BROKEN[case]
    directory = tmp_path / "pd"
    shutil.copytree(DATA / "pd", directory)
    change(directory)
    (found,) = verify(directory, stand_in_charts, None, helm_tools)
    assert (found.code, found.is_error) == ("VER001", True)
    assert says in found.says
    assert found.fix


@pytest.mark.parametrize(
    ("data", "says"),
    [(BINARY, "no UTF-8 text"), (b"\nspec: {}\nnames:\n  kind: Gateway\n", "no complete CustomResourceDefinition")],
)
def test_a_broken_crd_is_named(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "crd.yaml"
    file.write_bytes(b"kind: CustomResourceDefinition\n" + data)
    with pytest.raises(VerifyError, match=says):
        read_crds(tmp_path, {"Gateway"})
