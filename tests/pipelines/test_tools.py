"""pipelines/tools.sh and pipelines/install.sh, without a network."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from pathlib import Path

import pytest

from .conftest import PIPELINES, ROOT, Repository

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
    names = [row.split()[1] for row in (PIPELINES / "tools.sha256").read_text().splitlines()]
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
    text = (PIPELINES / "tools.sh").read_text("utf-8")
    versions = dict(re.findall(r"^(helm|helmfile|helm_diff)=(\S+)$", text, re.M))
    names = [name for _, name in (row.split("  ") for row in (PIPELINES / "tools.sha256").read_text().splitlines())]
    assert names == [
        f"helm-{versions['helm']}-linux-amd64.tar.gz",
        f"helmfile_{versions['helmfile']}_linux_amd64.tar.gz",
        "helm-diff-linux-amd64.tgz",
    ]


def test_python_of_the_checkout_is_not_run(repository: Repository, tmp_path: Path) -> None:
    """pip gets no index here, so that it fails once it is reached: as Python's own, not as the stranger's."""
    mark = tmp_path / "mark"
    for name in ("venv.py", "pip.py", "sitecustomize.py", "ensurepip.py", "encodings.py"):
        (repository.root / name).write_text(f"open({str(mark)!r}, 'w')\n")
    done = repository.run("install.sh", LLMDGEN_VENV="made/venv", PIP_NO_INDEX="1", PIP_NO_CACHE_DIR="1", PYTHONPATH="")
    assert not mark.exists()
    assert "No matching distribution found" in done.log
    assert (repository.root / "made/venv/bin/python").exists()


def test_no_part_asks_an_index_for_llmdgen_by_name() -> None:
    """Anybody could register it there."""
    parts = [
        *PIPELINES.glob("*.sh"),
        *(ROOT / "examples").rglob("*"),
        ROOT / "action.yml",
        *ROOT.glob(".github/*/*.yml"),
    ]
    for part in filter(Path.is_file, parts):
        assert not re.search(r"install[^\n]*[ \"'](llmdgen)\b(?!/)", part.read_text("utf-8")), part


def test_every_python_of_a_part_is_isolated_or_a_script_of_its_own_folder() -> None:
    for part in [*PIPELINES.glob("*.sh"), ROOT / "examples/gitlab/.gitlab-ci.yml", *ROOT.glob("examples/github/*.yml")]:
        for line in part.read_text("utf-8").splitlines():
            if re.search(r"\bpython3?\"? ", line) and not line.lstrip().startswith("#"):
                assert re.search(r"python3?\"? -I ", line), (part, line)
