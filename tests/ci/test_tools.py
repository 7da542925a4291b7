"""ci/tools.sh and ci/install.sh, without a network."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from pathlib import Path

import pytest

from .conftest import CI, Repository

HELM = """#!/bin/sh
[ "$1 $2" = "env HELM_PLUGINS" ] && echo "$PLUGINS" || echo "helm $*"
"""


def archive(path: Path, files: dict[str, str]) -> None:
    with tarfile.open(path, "w:gz") as made:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o755
            made.addfile(entry, io.BytesIO(text.encode()))


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    """Stand-ins for the three archives, built as the real ones are, and their sums beside them."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    names = [row.split()[1] for row in (CI / "tools.sha256").read_text().splitlines()]
    contents = (
        {"linux-amd64/helm": HELM, "linux-amd64/LICENSE": ""},
        {"helmfile": "#!/bin/sh\necho helmfile\n", "README.md": ""},
        {"diff/plugin.yaml": "name: diff\n", "diff/bin/diff": "#!/bin/sh\n"},
    )
    for name, files in zip(names, contents, strict=True):
        archive(folder / name, files)
    rows = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "sums").write_text("".join(rows))
    return folder


def test_the_three_tools_are_unpacked_to_where_they_are_found(
    repository: Repository, downloads: Path, tmp_path: Path
) -> None:
    given = {"TOOLS": str(tmp_path / "tools"), "PLUGINS": str(tmp_path / "plugins"), "GITHUB_PATH": str(tmp_path / "p")}
    done = repository.run("tools.sh", DOWNLOADS=str(downloads), SUMS=str(downloads / "sums"), **given)
    assert done.code == 0, done.log
    assert (tmp_path / "tools/helmfile").is_file()
    assert (tmp_path / "plugins/diff/bin/diff").is_file()
    assert (tmp_path / "p").read_text().strip() == str(tmp_path / "tools")


def test_an_archive_of_another_sum_is_refused(repository: Repository, downloads: Path, tmp_path: Path) -> None:
    done = repository.run("tools.sh", DOWNLOADS=str(downloads), TOOLS=str(tmp_path / "tools"))
    assert done.code != 0
    assert "FAILED" in done.log
    assert not (tmp_path / "tools").exists()


def test_every_archive_of_the_script_has_a_sum() -> None:
    text = (CI / "tools.sh").read_text("utf-8")
    versions = dict(re.findall(r"^(helm|helmfile|helm_diff)=(\S+)$", text, re.M))
    names = [name for _, name in (row.split("  ") for row in (CI / "tools.sha256").read_text().splitlines())]
    assert names == [
        f"helm-{versions['helm']}-linux-amd64.tar.gz",
        f"helmfile_{versions['helmfile']}_linux_amd64.tar.gz",
        "helm-diff-linux-amd64.tgz",
    ]


@pytest.mark.parametrize("version", ["latest", "0.1.0 --index-url=x", "-r x", "0.1.0;id", ">=0.1", "git+x"])
def test_what_is_no_version_is_not_installed(repository: Repository, tmp_path: Path, version: str) -> None:
    done = repository.run("install.sh", LLMDGEN_VERSION=version, LLMDGEN_VENV=str(tmp_path / "venv"))
    assert done.code == 64
    assert not (tmp_path / "venv").exists()
