"""Write what was rendered below <out>/<name>/: only files that change, only files that are ours, all or nothing.

`prepare` looks and decides, `commit` does. A file is ours where the lock names it. Between the two nothing is written,
so that a refusal, of this spec or of another in the same call, leaves the disk as it was.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from msgspec import Struct

from llmdgen.findings import Located
from llmdgen.output import rules
from llmdgen.output.lock import LOCK_NAME, Entry, Lock, LockError, digest, dump, is_safe_path, parse
from llmdgen.output.rules import OutputError, refusal
from llmdgen.output.undisturbed import make_directory, without_signals

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Rendered(Struct, frozen=True, kw_only=True):
    """One target in memory: what it was made from, and its files by their path below <out>/<name>/<target>/."""

    tool: str
    spec: str
    facts: str
    files: dict[str, str]


class Writing(Struct, frozen=True, kw_only=True):
    """What `commit` will do below `root`, each path relative to it.

    `replaces` holds the bytes to write, the lock first; `edited` are those among them that somebody changed by hand
    since the last render; `kept` are files that we no longer make and that somebody changed: they stay, as theirs.
    """

    root: str
    replaces: dict[str, bytes]
    removes: tuple[str, ...]
    edited: tuple[str, ...]
    kept: tuple[str, ...]
    unchanged: int

    @property
    def written(self) -> int:
        """How many files change, the lock aside."""
        return len(self.replaces) - (LOCK_NAME in self.replaces)


def read_lock(root: str) -> Lock:
    """The lock of a rendered directory, an empty one where there is none. Raises OutputError."""
    path = os.path.join(root, LOCK_NAME)
    data = read_file(*os.path.split(root), LOCK_NAME)
    try:
        return Lock() if data is None else parse(data)
    except LockError as error:
        raise OutputError([refusal(rules.BAD_LOCK, path, str(error), error.fix)]) from error


def read_file(out: str, name: str, path: str) -> bytes | None:
    """The bytes of a file below <out>/<name>/, None where there is none; no link below <out> is followed.

    Raises OutputError where something else than a file, or than the directories that lead to it, stands there.
    """
    here = out
    parts = [name, *path.split("/")]
    for depth, part in enumerate(parts, start=1):
        here = os.path.join(here, part)
        try:
            mode = os.lstat(here).st_mode
        except FileNotFoundError:
            return None
        is_file = depth == len(parts)
        if not (stat.S_ISREG(mode) if is_file else stat.S_ISDIR(mode)):
            says = f"is not a {'regular file' if is_file else 'directory'}"
            if stat.S_ISLNK(mode):
                says = "is a symbolic link, which llmdgen does not follow"
            raise OutputError([refusal(rules.NOT_A_DIRECTORY, here, says, "move it away")])
    with open(here, "rb") as file:
        return file.read()


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


def prepare(out: str, name: str, rendered: dict[str, Rendered], whole: bool = True) -> Writing:
    """Decide what has to be written for a spec. Raises OutputError with every reason not to."""
    root = os.path.join(out, name)
    old = read_lock(root)
    new = merged(old, rendered, whole)
    owned, files = old.owned(), wanted(rendered)
    replaces: dict[str, bytes] = {}
    edited: list[str] = []
    refused: list[Located] = []
    for path, data in {LOCK_NAME: dump(new).encode(), **files}.items():
        if not is_safe_path(path):
            raise ValueError(f"{path!r} would leave {root}")
        try:
            there = read_file(out, name, path)
        except OutputError as error:
            refused += error.findings
            continue
        if there == data:
            continue
        if there is not None and path != LOCK_NAME:
            if path not in owned:
                fix = "move it away, or name another directory with -o"
                says = "llmdgen did not write this file and will not replace it"
                refused.append(refusal(rules.NOT_OURS, os.path.join(root, path), says, fix))
            elif digest(there) != owned[path]:
                edited.append(path)
        replaces[path] = data
    if refused:
        raise OutputError(refused)
    removes, kept = orphans(out, name, {path: owned[path] for path in owned.keys() - new.owned().keys()})
    return Writing(
        root=root,
        replaces=replaces,
        removes=removes,
        edited=tuple(edited),
        kept=kept,
        unchanged=len(files) - len(files.keys() & replaces.keys()),
    )


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
            staged[final] = _staged(final)
            stage(final, data)
        with without_signals():
            begun = True
            for path in writing.removes:
                _remove(writing.root, path)
            if LOCK_NAME in writing.removes:
                with suppress(OSError):
                    os.rmdir(writing.root)
            for final in list(staged):
                os.replace(staged[final], final)
                del staged[final]
    finally:
        for left_over in staged.values():
            with suppress(FileNotFoundError):
                os.unlink(left_over)
        for directory in [] if begun else reversed(made):
            with suppress(OSError):
                os.rmdir(directory)


def orphans(out: str, name: str, owned: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files that we own and no longer make: those to remove, and those that somebody has changed or replaced."""
    removes: list[str] = []
    kept: list[str] = []
    for path, seal in sorted(owned.items()):
        try:
            there = read_file(out, name, path)
        except OutputError:
            kept.append(path)
            continue
        if there is not None:
            (removes if digest(there) == seal else kept).append(path)
    return tuple(removes), tuple(kept)


def stage(final: str, data: bytes) -> str:
    """Write bytes beside the file they will become, never through something that stands there; the name they have."""
    staged = _staged(final)
    try:
        descriptor = os.open(staged, _NEW, 0o666)
    except FileExistsError:  # a render that was killed left it
        os.unlink(staged)
        descriptor = os.open(staged, _NEW, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        os.unlink(staged)
        error.filename = error.filename or final  # a full disk is told by the write, which knows no name
        raise
    return staged


def _staged(final: str) -> str:
    folder, name = os.path.split(final)
    return os.path.join(folder, f".{name}.llmdgen-new")


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
