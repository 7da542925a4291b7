"""Whether the files of a rendered directory are those that llmdgen wrote, by the lock above it."""

from __future__ import annotations

from pathlib import Path

from llmdgen.checks.registry import declare
from llmdgen.output.lock import LOCK_NAME, LockError, digest, parse
from llmdgen.verify.problem import Problem

EDITED = declare(
    "VER008",
    "error",
    "a file is not the one that llmdgen wrote",
    """llmdgen.lock, beside the targets of a deployment, has the sha256 of every file. A file that differs was edited by
    hand, or half merged: what it deploys stands in no spec, nobody reviewed it as one, and the next render takes it
    back. Files without a lock, such as a directory written by hand, are not judged.

    Fails:  values/ms.yaml with another number of replicas than was rendered; a missing vllm/decode.args.
    Passes: the files as they were rendered; the change in the spec, under `values` where it has no field for it.
    """,
)
_DEPLOYED = ("helmfile.yaml", "allocation.yaml")
_FOLDERS = ("values/", "vllm/")


def check(directory: Path) -> list[Problem]:
    """A problem for each file of the deployment that is not the lock's: edited, missing."""
    here = directory.resolve()
    lock = here.parent / LOCK_NAME
    if not lock.is_file():
        return []
    try:
        entry = parse(lock.read_bytes()).targets.get(here.name)
    except (OSError, LockError) as error:
        return [_problem(LOCK_NAME, f"it cannot be read: {error}", "render the deployment again")]
    if entry is None:
        return []
    named = {name: seal for name, seal in entry.files.items() if name in _DEPLOYED or name.startswith(_FOLDERS)}
    found: list[Problem] = []
    for name, seal in named.items():
        file = here / name
        if not file.is_file():
            found.append(_problem(name, "it was rendered, and is not there", "render the deployment again"))
        elif _digest(file) != seal:
            fix = "make the change in the spec, under `values` where it has no field for it, and render again"
            found.append(_problem(name, f"it was edited since llmdgen {entry.tool} wrote it", fix))
    return found


def _digest(file: Path) -> str:
    try:
        return digest(file.read_bytes())
    except OSError:
        return ""


def _problem(name: str, says: str, fix: str) -> Problem:
    return Problem(EDITED.code, EDITED.severity, name, "", says, fix)
