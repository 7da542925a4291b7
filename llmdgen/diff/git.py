"""The rendered tree of a git revision, read from git's objects: nothing is checked out, and no hook or filter runs."""

from __future__ import annotations

import os
from collections.abc import Sequence

from llmdgen.diff.fold import Side
from llmdgen.diff.problem import DiffError
from llmdgen.diff.sources import FILE_BYTES, FILES, TOO_LARGE, decoded, targets_of, wanted

DEFAULT_PATH = "rendered"
_REGULAR = ("100644", "100755")


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
    sides = _side(first, old, path), _side(second, new, path)
    if not any(sides):
        error = _nothing_below(path, path)
        raise DiffError(path, f"{error.says} in {old} or {new}", error.fix)
    return sides


def revision_side(revision: str, *paths: str) -> Side:
    """The targets of one revision, below the first of the paths that has any. Raises DiffError."""
    found = commit(revision)
    for path in paths:
        if (len(paths) == 1 or _is_inside(path)) and (side := _side(found, revision, path)):
            return side
    raise _nothing_below(f"{revision}:{paths[0]}", paths[0])


def _nothing_below(place: str, path: str) -> DiffError:
    fix = "name its path after --"
    if path.endswith((".yaml", ".yml")):
        fix = "revisions are compared by what is rendered: name the rendered directory after --"
    return DiffError(place, "no rendered target below it", fix)


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


def _side(commit: str, revision: str, path: str) -> Side:
    """The targets below a path, which is relative to the current directory as all paths of a command line are."""
    if not _is_inside(path):
        raise DiffError(path, "outside of the repository", "name a path inside the repository")
    root = os.path.normpath(os.path.join(_prefix(), path))
    inside = "" if root == "." else f"{root}/"
    place = f"{revision}:{inside}"
    objects: dict[str, str] = {}
    below = ["--", f":(literal){root}"] if inside else []
    for row in _git(["ls-tree", "-r", "-l", "-z", "--full-tree", commit, *below]).split(b"\0"):
        facts, _, path_bytes = row.partition(b"\t")
        name = path_bytes.decode("utf-8", "surrogateescape").removeprefix(inside)
        if not facts or not wanted(name):
            continue
        mode, _, identity, size = facts.decode().split()
        if mode not in _REGULAR:
            raise DiffError(f"{place}{name}", "a symbolic link or a submodule", "commit the file itself")
        if int(size) > FILE_BYTES:
            raise DiffError(f"{place}{name}", TOO_LARGE, "name one rendered directory after --")
        objects[name] = identity
        if len(objects) > FILES:
            raise DiffError(place, f"more than {FILES} files", "name one rendered directory after --")
    outer = ("", *root.split("/"))[-2:]
    return targets_of(_contents(objects, place), (outer[0], outer[1]), place)


def _prefix() -> str:
    """The current directory below the root of its repository."""
    return _git(["rev-parse", "--show-prefix"]).decode().strip("\n")


def _is_inside(path: str) -> bool:
    return not os.path.isabs(path) and not os.path.normpath(os.path.join(_prefix(), path)).startswith("..")


def _contents(objects: dict[str, str], place: str) -> dict[str, str]:
    """The texts of blobs by path, all from one git process."""
    data = _git(["cat-file", "--batch"], "".join(f"{each}\n" for each in sorted(set(objects.values()))).encode())
    blobs: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        identity, _, size = data[at:end].decode().split()
        blobs[identity] = data[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
    return {path: decoded(blobs[identity], f"{place}{path}") for path, identity in objects.items()}


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
