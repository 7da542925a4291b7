"""Whether the files of a rendered directory are those that llmdgen wrote, by the lock above it."""

from __future__ import annotations

from pathlib import Path

from llmdgen.findings import Finding
from llmdgen.output.lock import LOCK_NAME, LockError, digest, parse
from llmdgen.registry import declare

EDITED = declare(
    "VER008",
    "error",
    "a file is not the one that llmdgen wrote",
    """llmdgen.lock, beside the targets of a deployment, has the sha256 of every file. A file that differs was edited by
    hand, or half merged: what it deploys stands in no spec, nobody reviewed it as one, and the next render takes it
    back. Files without a lock, such as a directory written by hand, are not judged.

    Fails:  chart/templates/decode.yaml with another number of replicas than was rendered; a missing vllm/decode.args;
            a file below chart/ that the lock does not name, which Helm would apply too.
    Passes: the files as they were rendered; the change in the spec, under `<role>.pod` or `values.router` where it has
            no field for it.
    """,
)
_READ_ONLY_BY_PEOPLE = ("SUMMARY.md", "topology.svg")  # a reviewer may write notes into them
# Files beside which nothing of the user's own belongs: what lies there is deployed, or read as what is.
_WHOLE = ("helmfile.yaml", "allocation.yaml", "values/*.yaml", "chart/**/*", "vllm/*.args")


def check(directory: Path) -> list[Finding]:
    """A problem for each file that is not the lock's: edited, missing, or beside those that it names."""
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
    found: list[Finding] = []
    for name, seal in entry.files.items():
        if name in _READ_ONLY_BY_PEOPLE:
            continue
        file = here / name
        if not file.is_file():
            found.append(_problem(name, "it was rendered, and is not there", "render the deployment again"))
        elif _digest(file) != seal:
            fix = "make the change in the spec, and render again; `<role>.pod` takes what has no field"
            found.append(_problem(name, f"it was edited since llmdgen {entry.tool} wrote it", fix))
    there = {file.relative_to(here).as_posix() for pattern in _WHOLE for file in here.glob(pattern) if file.is_file()}
    for name in sorted(there - set(entry.files)):
        fix = "say in the spec what it is for, and render again"
        found.append(_problem(name, f"{LOCK_NAME} does not know it: no render wrote it", fix))
    return found


def _digest(file: Path) -> str:
    try:
        return digest(file.read_bytes())
    except OSError:
        return ""


def _problem(name: str, says: str, fix: str) -> Finding:
    return EDITED.at(says=says, fix=fix, of=name)
