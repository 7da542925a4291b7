"""A side of a comparison, as it was named, becomes the files of its targets in memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING

from llmdgen.diff.fold import Side
from llmdgen.diff.problem import DiffError
from llmdgen.diff.reading import HELMFILE, NEEDED, Files, is_read
from llmdgen.findings import SpecError

if TYPE_CHECKING:
    from llmdgen.planning.model import Plan

FILE_BYTES = 4 * 2**20  # of one file: far beyond anything that llmdgen writes
FILES = 20_000  # of one side: a pull request must not decide how much a review reads
TOO_LARGE = "larger than anything that llmdgen writes"
_DEPTH = 6  # directories below the one that was named


def spec_side(path: str, is_checked: bool = False) -> Side:
    """The targets of every spec in a file, rendered in memory.

    Raises SpecError where a spec cannot be planned, and where it `is_checked`, for what no render would pass.
    """
    from llmdgen.api import check, draft, targets
    from llmdgen.spec.load import load_all

    revision, colon, file = path.partition(":")
    if colon and not os.path.exists(path):
        says = "a spec is read from disk, and revisions by what is rendered"
        fix = f"write it beside: `git show {path} >{os.path.basename(file)}.old.yaml`, or compare {revision} itself"
        raise DiffError(path, says, fix)
    plans = [draft(spec, instance_type) for spec in load_all(path) for instance_type in targets(spec)]
    errors = [found for plan in plans if is_checked for found in check(plan) if found.is_error]
    if errors:
        raise SpecError(dict.fromkeys(errors))
    return plans_side(plans, path)


def plans_side(plans: Iterable[Plan], path: str) -> Side:
    """The targets of plans, rendered in memory; `path` is where their specs come from."""
    from llmdgen.rendering.files import files

    side: Side = {}
    for plan in plans:
        made = {name: text for name, text in files(plan).items() if is_read(name)}
        side[plan.spec.name, plan.target] = Files(made, f"{path} on {plan.target}")
    return side


def directory_side(path: str) -> Side:
    """The targets in or below a directory; no symbolic link below it is followed. Raises DiffError."""
    found: dict[str, str] = {}
    for file in _below(path, "", 0):
        if len(found) == FILES:
            raise DiffError(path, f"more than {FILES} files", "name one rendered directory")
        found[file] = _text(os.path.join(path, file))
    here = os.path.abspath(path)
    side = targets_of(found, (os.path.basename(os.path.dirname(here)), os.path.basename(here)), path)
    if not side:
        says = "no rendered target here or below (a directory with helmfile.yaml and chart/Chart.yaml)"
        raise DiffError(path, says, "name a directory that `llmdgen render` wrote")
    return side


def targets_of(files: dict[str, str], outer: tuple[str, str], place: str) -> Side:
    """The targets among files by path; the last two directories name one, `outer` those above the paths' root."""
    side: Side = {}
    for helmfile in sorted(path for path in files if path.rpartition("/")[2] == HELMFILE):
        root = helmfile.removesuffix(HELMFILE)
        own = {path.removeprefix(root): text for path, text in files.items() if path.startswith(root)}
        here = os.path.join(place, root).rstrip("/") if root and not place.endswith(":") else place + root.rstrip("/")
        missing = [path for path in NEEDED if path not in own]
        if len(missing) == len(NEEDED) - 1:
            continue  # the helmfile of something else
        if missing:
            says = f"{missing[0]} is missing beside {HELMFILE}"
            raise DiffError(here, says, "restore the file, or render it again")
        parts = (*outer, *root.split("/")[:-1])
        key = (parts[-2], parts[-1])
        if key in side:
            says = f"two rendered trees hold {'/'.join(key)}: {side[key].place} and {here}"
            raise DiffError(place, says, "name one of them")
        side[key] = Files({path: text for path, text in own.items() if is_read(path)}, here)
    return side


def wanted(path: str) -> bool:
    """Whether a path may be a file of a target, wherever the target is."""
    parts = path.split("/")
    return any(is_read("/".join(parts[depth:])) for depth in range(len(parts)))


def decoded(data: bytes, place: str) -> str:
    """The text of a file. Raises DiffError."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DiffError(place, "this is not UTF-8 text", "restore the file, or render it again") from error


def _below(top: str, folder: str, depth: int) -> Iterable[str]:
    """The paths below a directory that may be files of a target."""
    here = os.path.join(top, folder)
    try:
        with os.scandir(here) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DiffError(here, f"cannot be read: {error.strerror}", "check the path and its permissions") from error
    for entry in found:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_dir(follow_symlinks=False):
            if depth < _DEPTH and not entry.name.startswith("."):
                yield from _below(top, path, depth + 1)
        elif wanted(path):
            yield path


def _text(path: str) -> str:
    """The text of a regular file, never of what a link leads to."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        says = "a symbolic link" if os.path.islink(path) else f"cannot be read: {error.strerror}"
        raise DiffError(path, says, "put the file itself there") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DiffError(path, "not a regular file", "put a file there")
        data = file.read(FILE_BYTES + 1)
    if len(data) > FILE_BYTES:
        raise DiffError(path, TOO_LARGE, "name one rendered directory")
    return decoded(data, path)
