"""helm and helmfile: where they are, which versions they have, that the two go together, and why they cannot run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from msgspec import Struct

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class VerifyError(Exception):
    """A tool is missing, or a directory is not a rendered one. `fix` says what helps."""

    def __init__(self, says: str, fix: str) -> None:
        self.says, self.fix = says, fix
        super().__init__(f"{says} (fix: {fix})")


class Tools(Struct, frozen=True):
    """The two programs by their absolute paths, and their versions as (major, minor, patch)."""

    helm: str
    helmfile: str
    helm_version: tuple[int, int, int]
    helmfile_version: tuple[int, int, int]


def find_tools(helm: str | None = None, helmfile: str | None = None) -> Tools:
    """The programs by name or path, `helm` and `helmfile` on PATH by default.

    Raises VerifyError where one is missing or does not say its version, and where helm is version 4 and helmfile 0.x,
    which calls it with flags that helm 4 no longer has.
    """
    helm_path = _locate(helm or "helm", "helm")
    helmfile_path = _locate(helmfile or "helmfile", "helmfile")
    helm_version = _version(helm_path, "version", "--template", "{{.Version}}")
    helmfile_version = _version(helmfile_path, "--version")
    if helm_version[0] >= 4 and helmfile_version[0] == 0:
        says = f"helmfile {_dotted(helmfile_version)} does not drive helm {_dotted(helm_version)}"
        raise VerifyError(says, "use helmfile 1.2 or later, or helm 3")
    return Tools(helm_path, helmfile_path, helm_version, helmfile_version)


def _locate(program: str, name: str) -> str:
    found = shutil.which(program)
    if found is None:
        says = f"{name} is not {'on PATH' if program == name else f'an executable file at {program}'}"
        raise VerifyError(says, f"install {name} and put it on PATH, or name the program")
    return str(Path(found).resolve())


def _version(program: str, *arguments: str) -> tuple[int, int, int]:
    try:
        answer = subprocess.run(
            [program, *arguments], capture_output=True, text=True, errors="replace", timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VerifyError(f"{program} does not run: {error}", "install a working program") from error
    match = _VERSION.search(answer.stdout)
    if answer.returncode or match is None:
        said = (answer.stderr or answer.stdout).strip()
        raise VerifyError(f"{program} does not say its version: {said}", "install a working program")
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch)


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(str(number) for number in version)
