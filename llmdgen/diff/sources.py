"""A side of a comparison, as it was named, becomes the files of its targets in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from llmdgen.diff.fold import Side
from llmdgen.diff.reading import HELMFILE, NEEDED, Files, repeats
from llmdgen.diff.yaml import DiffError
from llmdgen.findings import SpecError

if TYPE_CHECKING:
    from llmdgen.planning.model import Plan

FILE_BYTES = 4 * 2**20  # of one file: far beyond anything that llmdgen writes
FILES, ALL_BYTES = 20_000, 2**28  # of one side: a pull request must not decide how much a review reads
_NAME_ONE = "name one rendered directory"
_DEPTH = 6  # directories between the one that was named and a target
_DEEPEST = 50  # directories of any kind


def spec_side(path: str, is_checked: bool = False) -> Side:
    """The targets of every spec in a file, rendered in memory. Raises SpecError where one cannot be planned, and where
    it `is_checked`, for what no render would pass."""
    from llmdgen.api import draft, targets
    from llmdgen.spec.load import load_all

    plans = [draft(spec, instance_type) for spec in load_all(path) for instance_type in targets(spec)]
    return plans_side(plans, path, is_checked)


def plans_side(plans: Iterable[Plan], path: str, is_checked: bool = False) -> Side:
    """The targets of plans, rendered in memory; `path` is where their specs come from. Raises SpecError as above."""
    from llmdgen.api import check, render

    judged = [(plan, check(plan)) for plan in plans]
    errors = [each for _, found in judged for each in found if is_checked and each.is_error]
    if errors:
        raise SpecError(dict.fromkeys(errors))
    return {
        (plan.spec.name, plan.target): Files(render(plan, None, found), f"{path} on {plan.target}", is_in_memory=True)
        for plan, found in judged
    }


def directory_side(path: str) -> Side:
    """The targets in or below a directory; no symbolic link below it is followed. Raises DiffError."""
    sizes = dict(_below(path))
    names = wanted(sizes)
    side = targets_of(texts({name: sizes[name] for name in names}, path, partial(_contents, path)), path, path)
    if not side:
        says = "no rendered target here or below (a directory with helmfile.yaml and chart/Chart.yaml)"
        raise DiffError(path, says, "name a directory that `llmdgen render` wrote")
    return side


def wanted(paths: Collection[str]) -> list[str]:
    """Those that are files of a target and say something of its deployment."""
    return [path for root, own in _by_root(paths).items() for path in own if not repeats(path.removeprefix(root))]


def _by_root(paths: Collection[str]) -> dict[str, list[str]]:
    """Paths by the target that they are in, the outermost. A target is a directory with a helmfile and something else
    that a target has; the helmfile alone is of something else."""
    known, by_root = set(paths), dict[str, list[str]]()
    for path in paths:
        folders = [path[: at + 1] for at, each in enumerate(path) if each == "/"]
        for root in ("", *folders):
            if f"{root}{HELMFILE}" in known and any(f"{root}{other}" in known for other in NEEDED[1:]):
                by_root.setdefault(root, []).append(path)
                break
    return dict(sorted(by_root.items()))


def targets_of(files: dict[str, str], top: str, place: str) -> Side:
    """The targets among files by path. The last two directories name one, those of `top` above the paths' root
    included; `place` is what messages call that root."""
    side: Side = {}
    above = os.path.abspath(top).split(os.sep)
    for root, paths in _by_root(files).items():
        own = {path.removeprefix(root): files[path] for path in paths}
        here = _join(place, root.rstrip("/")) if root else place
        if missing := [path for path in NEEDED if path not in own]:
            raise DiffError(here, f"{missing[0]} is missing beside {HELMFILE}", "restore the file, or render it again")
        name, target = [*above, *root.split("/")[:-1]][-2:]
        if (name, target) in side:
            says = f"two rendered trees hold {name}/{target}: {side[name, target].place} and {here}"
            raise DiffError(place, says, "name one of them")
        side[name, target] = Files(own, here)
    return side


def texts(
    sizes: Mapping[str, int | None], place: str, read: Callable[[Collection[str]], Iterable[tuple[str, bytes]]]
) -> dict[str, str]:
    """The texts of files by their paths. Their sizes are known, None of what is not a regular file, and `read` gives
    the bytes of those that are none too many; `place` is what messages call their directory. Raises DiffError."""
    if len(sizes) > FILES:
        raise DiffError(place, f"more than {FILES} files", _NAME_ONE)
    for path, size in sizes.items():
        if size is None:
            says = "a symbolic link, or something else than a file"
            raise DiffError(_join(place, path), says, "put the file itself there")
        if size > FILE_BYTES:
            raise DiffError(_join(place, path), "larger than anything that llmdgen writes", _NAME_ONE)
    if sum(filter(None, sizes.values())) > ALL_BYTES:
        raise DiffError(place, f"more than {ALL_BYTES >> 20} MiB in all files", _NAME_ONE)
    found = {}
    for path, data in read(sizes):
        try:
            found[path] = data.decode("utf-8")
        except UnicodeDecodeError as error:
            fix = "restore the file, or render it again"
            raise DiffError(_join(place, path), "this is not UTF-8 text", fix) from error
    return found


def _join(place: str, path: str) -> str:
    return place + path if place.endswith((":", "/")) else f"{place}/{path}"


def _below(
    top: str, folder: str = "", depth: int = _DEPTH, is_inside: bool = False
) -> Iterator[tuple[str, int | None]]:
    """The paths and sizes of all files below a directory, None of what is none; outside of targets no hidden
    directories, and no deeper ones."""
    here = os.path.join(top, folder)
    if folder.count("/") > _DEEPEST:
        raise DiffError(here, f"deeper than {_DEEPEST} directories", _NAME_ONE)
    try:
        with os.scandir(here) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DiffError(here, f"cannot be read: {error.strerror}", "check the path and its permissions") from error
    is_inside = is_inside or any(entry.name == HELMFILE for entry in found)
    for entry in found:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if not entry.is_dir(follow_symlinks=False):
            is_file = entry.is_file(follow_symlinks=False)
            yield path, entry.stat(follow_symlinks=False).st_size if is_file else None
        elif is_inside or (depth and not entry.name.startswith(".")):
            yield from _below(top, path, depth - 1, is_inside)


def _contents(top: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The bytes of files that were regular a moment ago, as many as may be; never of what a link leads to."""
    for path in paths:
        full = os.path.join(top, path)
        try:
            with open(os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                yield path, file.read(FILE_BYTES)
        except OSError as error:
            raise DiffError(full, f"cannot be read: {error.strerror}", "check its permissions") from error
