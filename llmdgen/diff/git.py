"""Rendered trees and specs of a git revision, read from git's objects: nothing is checked out, no hook is run."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence

from llmdgen.diff.fold import Side
from llmdgen.diff.sources import FILE_BYTES, spec_side, targets_of, texts, wanted
from llmdgen.diff.state import renamed
from llmdgen.diff.yaml import DiffError
from llmdgen.findings import SpecError
from llmdgen.spec.read import ENDINGS

DEFAULT_PATH = "rendered"
_REGULAR = ("100644", "100755")
Blobs = dict[str, tuple[str, int | None]]
"""By path: a file's identity, and its size, None of what is not a regular file."""


def split_range(text: str) -> tuple[str, str, bool] | None:
    """The two revisions of `A..B` or `A...B`, an empty one being HEAD, and whether the first is their merge base."""
    for dots in ("...", ".."):
        old, found, new = text.partition(dots)
        if found:
            return old or "HEAD", new or "HEAD", dots == "..."
    return None


def range_sides(old: str, new: str, from_merge_base: bool, path: str) -> tuple[Side, Side]:
    """Both sides of a range. A path that only one revision has is empty in the other. Raises DiffError."""
    first, second = commit(old), commit(new)
    if from_merge_base:
        base = _git(["merge-base", first, second], may_fail=True).decode().strip()
        if not base:
            raise DiffError(f"{old}...{new}", "the revisions have no common ancestor", f"compare with {old}..{new}")
        first, old = base, base[:12]
    sides = _side(first, old, path, is_new=False), _side(second, new, path, is_new=True)
    if not any(sides):
        raise DiffError(path, f"no rendered target below it, and no spec, in {old} or {new}", _NAME_IT)
    return sides


def revision_side(revision: str, *paths: str, is_new: bool = False) -> Side:
    """The targets of one revision, below the first of the paths that has any. Raises DiffError."""
    found = commit(revision)
    for path in paths:
        if side := _side(found, revision, path, is_new, may_fail=path != paths[-1]):
            return side
    raise DiffError(f"{revision}:{paths[0]}", "no rendered target below it, and no spec", _NAME_IT)


_NAME_IT = "name its path after --"


def commit(revision: str) -> str:
    """The commit that a revision names. Raises DiffError."""
    _git(["rev-parse", "--git-dir"])
    command = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    found = b"" if "\0" in revision else _git(command, may_fail=True)
    if not found.strip():
        raise DiffError(
            revision,
            "neither a file, nor a directory, nor a git revision",
            "check the name; `git branch -a` and `git log` show revisions, `git fetch` brings those of a remote",
        )
    return found.decode().strip()


def is_checked_out(revision: str) -> bool:
    """Whether the working tree is what a revision holds."""
    return commit(revision) == commit("HEAD") and not _git(["status", "--porcelain", "--untracked-files=no"])


def files_with(*patterns: str, beside: str) -> list[str]:
    """The YAML files of the working tree around a directory in which each pattern matches a line, by their paths from
    the current directory; none where there is no repository or no git."""
    asked = [word for pattern in patterns for word in ("-e", pattern)]
    command = ["grep", "-lzE", "--untracked", "--full-name", "--all-match", *asked, "--", ":/*.yaml", ":/*.yml"]
    try:
        found = _git(["-C", beside, *command], may_fail=True)
        top = _git(["-C", beside, "rev-parse", "--show-toplevel"], may_fail=True).decode().strip("\n")
    except DiffError:
        return []
    names = [name.decode("utf-8", "surrogateescape") for name in found.split(b"\0") if name]
    return sorted(os.path.relpath(os.path.join(top, name)) for name in names)


def _side(commit: str, revision: str, path: str, is_new: bool, may_fail: bool = False) -> Side:
    """The targets below a path, or of the specs in it where it is a YAML file. Paths are relative to the current
    directory, as all of a command line are."""
    if path.endswith(ENDINGS):
        return _specs(commit, revision, path, is_new)
    root = os.path.normpath(os.path.relpath(path))
    place = f"{revision}:" if root == "." else f"{revision}:{root}/"
    blobs = _blobs(commit, root, may_fail)
    return targets_of(_texts(blobs, wanted(blobs), place), path, place)


def _specs(commit: str, revision: str, path: str, is_new: bool) -> Side:
    """The targets of the specs in a file of a revision, empty where it has no such file. What they may extend, or read
    of a model, is laid beside them for that time."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    top = _git(["rev-parse", "--show-toplevel"]).decode().strip("\n")
    file = os.path.relpath(os.path.abspath(path), os.path.realpath(top))
    place, blobs = f"{revision}:", _blobs(commit, os.path.relpath(top))
    if file not in blobs:
        return {}
    rendered = set(wanted(blobs))
    beside = [
        name
        for name, (_, size) in blobs.items()
        if name.endswith((*ENDINGS, ".json")) and name not in rendered and not name.startswith("..")
        if size is not None and size <= FILE_BYTES
    ]
    with TemporaryDirectory() as folder:
        for name, text in _texts(blobs, beside, place).items():
            own = Path(folder, name)
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(text, "utf-8")
        Path(folder, ".git").mkdir(exist_ok=True)  # a spec extends what its repository holds, and nothing above
        try:
            return spec_side(os.path.join(folder, file), is_checked=is_new)
        except SpecError as error:
            findings = renamed(error.findings, lambda text: text.replace(f"{folder}/", place))
            raise SpecError(findings) from None


def _blobs(commit: str, root: str, may_fail: bool = False) -> Blobs:
    """The files below a path of a commit, by their paths from there."""
    command = ["ls-tree", "-r", "-l", "-z", commit, "--", f":(literal){root}"]
    found: Blobs = {}
    for row in _git(command, may_fail=may_fail).decode("utf-8", "surrogateescape").split("\0"):
        facts, _, name = row.partition("\t")
        if facts:
            mode, _, identity, size = facts.split()
            found[os.path.relpath(name, root)] = identity, int(size) if mode in _REGULAR else None
    return found


def _texts(blobs: Blobs, names: Sequence[str], place: str) -> dict[str, str]:
    """The texts of these files."""

    def read(names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        given = "".join(f"{each}\n" for each in sorted({blobs[name][0] for name in names}))
        data, at = _git(["cat-file", "--batch"], given.encode()), 0
        held: dict[str, bytes] = {}
        while at < len(data):
            end = data.index(b"\n", at)
            identity, _, length = data[at:end].decode().split()
            held[identity] = data[end + 1 : end + 1 + int(length)]
            at = end + 2 + int(length)
        return ((name, held[blobs[name][0]]) for name in names)

    return texts({name: blobs[name][1] for name in names}, place, read)


def _git(arguments: Sequence[str], given: bytes = b"", may_fail: bool = False) -> bytes:
    """What a git command prints. Raises DiffError where it fails, unless that is an answer too."""
    from subprocess import run

    command = ["git", "--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = run(command, input=given, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise DiffError("git", "not found", "install git, or name specs or rendered directories") from error
    if done.returncode and not may_fail:
        says = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0].removeprefix("fatal: ")
        fix = "run this in a repository, or name specs or rendered directories that exist"
        raise DiffError("git", says or f"git {arguments[0]} failed", fix)
    return done.stdout if not done.returncode else b""
