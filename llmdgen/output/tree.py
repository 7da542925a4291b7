"""Write what was rendered below <out>/<name>/: only files that change, only files that are ours, all or nothing.

`prepare` looks and decides, `commit` does. A file is ours where the lock names it. Between the two nothing is written,
so that a refusal, of this spec or of another in the same call, leaves the disk as it was.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

from msgspec import Struct

from llmdgen.findings import Located
from llmdgen.output import rules
from llmdgen.output.disk import Standing, make_directory, stage, without_signals
from llmdgen.output.lock import LOCK_NAME, Entry, Lock, LockError, digest, dump, is_safe_path, parse
from llmdgen.output.rules import OutputError, refusal


class Rendered(Struct, frozen=True, kw_only=True):
    """One target in memory: what it was made from, and its files by their path below <out>/<name>/<target>/."""

    tool: str
    spec: str
    facts: str
    files: dict[str, str]


class Writing(Struct, frozen=True):
    """What `commit` will do below `root`, each path relative to it.

    `replaces` holds the bytes to write, the lock first; `edited` are those among them that somebody changed by hand
    since the last render; `kept` are files that we no longer make and that somebody changed: they stay, as theirs.
    `left` is what killed renders left behind.
    """

    root: str
    replaces: dict[str, bytes]
    removes: tuple[str, ...]
    edited: tuple[str, ...]
    kept: tuple[str, ...]
    left: tuple[str, ...]
    unchanged: int

    @property
    def written(self) -> int:
        """How many files change, the lock aside."""
        return len(self.replaces) - (LOCK_NAME in self.replaces)


def read_lock(there: Standing) -> Lock:
    """The lock of a rendered directory, an empty one where there is none. Raises OutputError."""
    data = there.read(LOCK_NAME)
    try:
        return Lock() if data is None else parse(data)
    except LockError as error:
        path = os.path.join(there.root, LOCK_NAME)
        raise OutputError([refusal(rules.BAD_LOCK, path, str(error), error.fix)]) from error


def merged(lock: Lock, rendered: dict[str, Rendered], whole: bool) -> Lock:
    """The lock after a render; one that is not `whole` leaves the entries of the other targets."""
    targets = {} if whole else dict(lock.targets)
    for target, made in rendered.items():
        seals = {path: digest(text.encode()) for path, text in made.files.items()}
        targets[target] = Entry(tool=made.tool, spec=made.spec, facts=made.facts, files=seals)
    return Lock(targets=targets)


def wanted(rendered: dict[str, Rendered]) -> dict[str, bytes]:
    """The bytes of every file, by its path below the lock's directory."""
    return {f"{target}/{path}": text.encode() for target, made in rendered.items() for path, text in made.files.items()}


def prepare(out: str, name: str, rendered: dict[str, Rendered], whole: bool = True, is_alone: bool = False) -> Writing:
    """Decide what has to be written for a spec; where no other process writes there (`is_alone`), what killed ones left
    is removed. Raises OutputError with every reason not to."""
    root = os.path.join(out, name)
    there = Standing(root)
    old = read_lock(there)
    new = merged(old, rendered, whole)
    owned, files = old.owned(), wanted(rendered)
    replaces: dict[str, bytes] = {}
    edited: list[str] = []
    refused: list[Located] = []
    for path, data in {LOCK_NAME: dump(new).encode(), **files}.items():
        if not is_safe_path(path):
            raise ValueError(f"{path!r} would leave {root}")
        try:
            before = there.read(path)
        except OutputError as error:
            refused += error.findings
            continue
        if before == data:
            continue
        if before is not None and path != LOCK_NAME:
            if path not in owned:
                fix = "move it away, or name another directory with -o"
                says = "llmdgen did not write this file and will not replace it"
                refused.append(refusal(rules.NOT_OURS, os.path.join(root, path), says, fix))
            elif not there.is_ours(path, before, owned[path]):
                edited.append(path)
        replaces[path] = data
    if refused:
        raise OutputError(refused)
    removes, kept = _orphans(there, {path: owned[path] for path in owned.keys() - new.owned().keys()})
    return Writing(
        root=root,
        replaces=replaces,
        removes=removes,
        edited=tuple(edited),
        kept=kept,
        left=tuple(there.left) if is_alone else (),
        unchanged=len(files) - len(files.keys() & replaces.keys()),
    )


def removal(out: str, name: str) -> Writing:
    """What takes a directory away that no spec is of, the lock last; files that somebody changed stay, and so does what
    llmdgen never wrote. Raises OutputError."""
    there = Standing(os.path.join(out, name))
    removes, kept = _orphans(there, read_lock(there).owned())
    return Writing(there.root, {}, (*removes, LOCK_NAME), (), kept, tuple(there.left), 0)


def leftovers(out: str, names: Collection[str]) -> list[str]:
    """The directories of <out>/ that a lock makes ours, and that none of the names is of."""
    try:
        entries = sorted(os.scandir(out), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        entry.name
        for entry in entries
        if entry.name not in names
        and entry.is_dir(follow_symlinks=False)
        and os.path.lexists(os.path.join(entry.path, LOCK_NAME))
    ]


def commit(writing: Writing) -> None:
    """Write and remove. All new bytes are on disk under other names before the first file changes.

    A crash between two files leaves whole files, and a lock that names them, so that the next render mends it: what is
    no longer made goes first, then comes the lock, then the files. Raises OSError.
    """
    staged: dict[str, str] = {}
    made: list[str] = []
    ready: set[str] = set()
    begun = False
    try:
        for path, data in writing.replaces.items():
            final = os.path.join(writing.root, path)
            folder = os.path.dirname(final)
            if folder not in ready:
                made += make_directory(folder)
                ready.add(folder)
            staged[final] = stage(final, data)
        with without_signals():
            begun = True
            for path in writing.removes:
                _remove(writing.root, path)
            for final in list(staged):
                os.replace(staged[final], final)
                del staged[final]
            for path in writing.left:
                with suppress(FileNotFoundError):
                    _remove(writing.root, path)
            if LOCK_NAME in writing.removes:
                with suppress(OSError):
                    os.rmdir(writing.root)
    finally:
        for left_over in staged.values():
            with suppress(FileNotFoundError):
                os.unlink(left_over)
        for directory in [] if begun else reversed(made):
            with suppress(OSError):
                os.rmdir(directory)


def _orphans(there: Standing, owned: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files that we own and no longer make: those to remove, and those that somebody has changed or replaced."""
    removes: list[str] = []
    kept: list[str] = []
    for path, seal in sorted(owned.items()):
        try:
            data = there.read(path)
        except OutputError:
            kept.append(path)
            continue
        if data is not None:
            (removes if there.is_ours(path, data, seal) else kept).append(path)
    return tuple(removes), tuple(kept)


def _remove(root: str, path: str) -> None:
    """Remove a file and the directories below `root` that are empty without it."""
    os.unlink(os.path.join(root, path))
    folder = os.path.dirname(path)
    while folder:
        try:
            os.rmdir(os.path.join(root, folder))
        except OSError:
            return
        folder = os.path.dirname(folder)
