"""Directories below the output directory that no spec gives any more: their spec was deleted, or has another name.

A render knows its own specs only, and others may be rendered into the same directory by other calls. So a directory is
called orphaned only where no spec of its name is found anywhere in the repositories of the output and of the specs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from llmdgen.output.check import Difference, Kind
from llmdgen.output.lock import LOCK_NAME, Lock, digest
from llmdgen.output.rules import OutputError
from llmdgen.output.tree import read_file, read_lock

MOST_FILES = 20_000  # that are looked through; with more, nothing is said
MOST_BYTES = 2**20  # of a file that may be a spec
_KIND = b"WellLitPath"


def orphaned(out: str, made: Iterable[str], specs: Iterable[str]) -> list[Difference]:
    """The directories of specs that are gone. `made` are names with a spec, `specs` the files of this call."""
    own = set(made)
    known = {name for name in _locked(out) if name not in own}
    if not known:
        return []
    roots = {_root(out), *(_root(os.path.dirname(spec) or ".") for spec in specs)}
    if None in roots:
        return []
    left = [MOST_FILES]
    for root in sorted(each for each in roots if each is not None):
        for file in _yaml_files(root, os.path.realpath(out), left):
            known -= _named(file, known)
            if not known:
                return []
    if left[0] < 0:
        return []
    return [_difference(out, name) for name in sorted(known)]


def _locked(out: str) -> Iterator[str]:
    try:
        with os.scandir(out) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    yield from (name for name in names if os.path.isfile(os.path.join(out, name, LOCK_NAME)))


def _root(directory: str) -> str | None:
    """The repository that a directory is in; without one the current directory, if it is in there, else None: where
    other specs would be is not known then."""
    real = os.path.realpath(directory)
    at = real
    while not os.path.lexists(os.path.join(at, ".git")):
        above = os.path.dirname(at)
        if above == at:
            here = os.path.realpath(".")
            return here if real == here or real.startswith(here.rstrip(os.sep) + os.sep) else None
        at = above
    return at


def _yaml_files(root: str, out: str, left: list[int]) -> Iterator[str]:
    for at, folders, files in os.walk(root):
        folders[:] = sorted(
            each for each in folders if not each.startswith(".") and os.path.realpath(os.path.join(at, each)) != out
        )
        for file in sorted(files):
            if file.endswith((".yaml", ".yml")):
                left[0] -= 1
                if left[0] < 0:
                    return
                yield os.path.join(at, file)


def _named(file: str, names: Iterable[str]) -> set[str]:
    """Those of the names that a file may give to a spec. Read as text: a file that is no YAML may be one tomorrow."""
    try:
        if os.path.getsize(file) > MOST_BYTES:
            return set()
        with open(file, "rb") as opened:
            text = opened.read(MOST_BYTES)
    except OSError:
        return set()
    if _KIND not in text:
        return set()
    return {
        name
        for name in names
        if re.search(rb"name[\"']?\s*:\s*[\"']?" + re.escape(name.encode()) + rb"(?![\w.-])", text)
    }


def _difference(out: str, name: str) -> Difference:
    from shlex import quote

    root = os.path.join(out, name)
    says = "no spec has this name any more"
    try:
        edited = _edited(out, name, read_lock(root))
    except OutputError:
        edited = []
    if edited:
        says += f", and edited by hand: {', '.join(edited[:3])}" + (f" and {len(edited) - 3} more" * (len(edited) > 3))
    mend = f"`helmfile destroy` where it is deployed, then rm -r {quote(root)}"
    return Difference(Kind.ORPHANED, root, says, "", mend)


def _edited(out: str, name: str, lock: Lock) -> list[str]:
    found = []
    for path, seal in sorted(lock.owned().items()):
        there = read_file(out, name, path)
        if there is not None and digest(there) != seal:
            found.append(path)
    return found
