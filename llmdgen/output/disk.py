"""Files on disk: what stands below a directory, bytes that take a file's place whole or not at all, and writing that
nothing comes between: no other llmdgen, no signal between two files."""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from llmdgen.findings import Located
from llmdgen.output import rules
from llmdgen.output.lock import digest
from llmdgen.output.rules import OutputError, refusal

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_STAGED = re.compile(r"\.(.+)\.[0-9]+\.llmdgen-new")
_TRIES = 10  # to lock a directory that others make and remove meanwhile
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


class Standing:
    """What stands below a directory, by its path there. No link is followed, not even that of the directory itself."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._kinds: dict[str, str] = {}
        """Paths as "file", "directory", "staged" by a render, or "other"."""
        with suppress(FileNotFoundError):
            if not stat.S_ISDIR(os.lstat(root).st_mode):
                raise OutputError([_in_the_way(root, "directory")])
            folders = [""]
            while folders:
                folder = folders.pop()
                with os.scandir(os.path.join(root, folder)) as entries:
                    for entry in entries:
                        kind = self._kinds[folder + entry.name] = _kind(entry)
                        if kind == "directory":
                            folders.append(f"{folder}{entry.name}/")

    def read(self, path: str) -> bytes | None:
        """The bytes of a file, None where there is none. Raises OutputError where something else than a file, or than
        the directories that lead to it, stands there."""
        here, kind, wanted = path, self._kinds.get(path), "regular file"
        if kind == "file":
            with open(os.open(self._full(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                return file.read()
        while kind in (None, "staged") and here:
            here, wanted = os.path.dirname(here), "directory"
            kind = self._kinds.get(here)
        if kind is None or (kind, wanted) == ("directory", "directory"):
            return None
        raise OutputError([_in_the_way(self._full(here), wanted)])

    @property
    def left(self) -> list[str]:
        """What renders have staged that were killed, or are still at work."""
        return [path for path, kind in self._kinds.items() if kind == "staged"]

    @property
    def paths(self) -> set[str]:
        """Everything but directories."""
        return {path for path, kind in self._kinds.items() if kind != "directory"}

    def is_staged(self, path: str, seal: str) -> bool:
        """Whether a render was killed before it put the bytes of that sha256 in the place of a file."""
        folder, name = os.path.split(path)
        for each in self.left:
            match = _STAGED.fullmatch(os.path.basename(each))
            if match and os.path.dirname(each) == folder and match[1] == name:
                with open(self._full(each), "rb") as file:
                    if digest(file.read()) == seal:
                        return True
        return False

    def is_ours(self, path: str, data: bytes, seal: str) -> bool:
        """Whether a render wrote these bytes of a file, or was killed before it replaced what it had written before."""
        return digest(data) == seal or self.is_staged(path, seal)

    def _full(self, path: str) -> str:
        return os.path.join(self.root, path)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    if not entry.is_file(follow_symlinks=False):
        return "other"
    return "staged" if _STAGED.fullmatch(entry.name) else "file"


def _in_the_way(path: str, wanted: str) -> Located:
    is_link = os.path.islink(path)
    says = "is a symbolic link, which llmdgen does not follow" if is_link else f"is not a {wanted}"
    return refusal(rules.NOT_A_DIRECTORY, path, says, "move it away")


def stage(final: str, data: bytes) -> str:
    """Write bytes beside the file they will become; the name they have, which no other process uses. Raises OSError."""
    folder, name = os.path.split(final)
    staged = os.path.join(folder, f".{name}.{os.getpid()}.llmdgen-new")
    try:
        descriptor = os.open(staged, _NEW, 0o666)
    except FileExistsError:  # left by one that was killed, whose number this process has by now
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


def replace(path: str, data: bytes) -> str:
    """Put the bytes in the place of a file that a person keeps, or of the one that a symbolic link there leads to, with
    the permissions it had; a crash leaves one of the two texts whole. Says why it cannot be done, "" where it is."""
    final = os.path.realpath(path)
    try:
        before = os.stat(final)
        if not stat.S_ISREG(before.st_mode):
            return "it is not a regular file"
        if not os.access(final, os.W_OK):
            return "it may not be written"
        staged = stage(final, data)
        try:
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                with suppress(PermissionError):
                    os.chown(staged, before.st_uid, before.st_gid)
            os.chmod(staged, stat.S_IMODE(before.st_mode))
            os.replace(staged, final)
        except OSError:
            os.unlink(staged)
            raise
    except OSError as error:
        return error.strerror or str(error)
    return ""


def make_directory(path: str) -> list[str]:
    """Make a directory and its parents; those that were missing, outermost first. Raises OSError."""
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    made = []
    for directory in reversed(missing):
        try:
            os.mkdir(directory)
        except FileExistsError:
            if not os.path.isdir(directory):
                raise
        else:
            made.append(directory)
    return made


@contextmanager
def alone(out: str, waits: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Wait until no other process writes below a directory; `waits` is called where one does. The directory is made for
    that, and goes again if it stays empty. Two that render different specs share the lock of rendered/cluster/, and one
    would drop what the other wrote. Without such locks nobody waits, and False is given."""
    held = _hold(out, waits)
    try:
        yield held is not None
    finally:
        if held is not None:
            descriptor, made = held
            for directory in reversed(made):
                with suppress(OSError):
                    os.rmdir(directory)
            os.close(descriptor)


def _hold(out: str, waits: Callable[[], None]) -> tuple[int, list[str]] | None:
    """A descriptor that holds the directory's lock, and the directories that were made for it; None without locks."""
    try:
        import fcntl
    except ImportError:
        return None
    for _ in range(_TRIES):
        descriptor, made = -1, []
        try:
            made = make_directory(out)
            descriptor = os.open(out, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waits()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), os.stat(out)):
                return descriptor, made
        except FileNotFoundError:
            pass  # another process made it, found nothing to write and removed it: once more
        except OSError:
            if descriptor >= 0:
                os.close(descriptor)
            return None
        if descriptor >= 0:
            os.close(descriptor)
    return None


@contextmanager
def without_signals() -> Iterator[None]:
    """Let ctrl-C and SIGTERM wait for the end of the block."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
