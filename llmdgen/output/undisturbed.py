"""Writing that nothing comes between: no other llmdgen that writes below the same directory, no signal between two
files, and nothing that an earlier render left behind when it was killed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STAGED = re.compile(r"\..+\.(\d+)\.new")
_TRIES = 10  # to lock a directory that others make and remove meanwhile
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


def staged_name(name: str) -> str:
    """What a file is called until it takes its place."""
    return f".{name}.{os.getpid()}.new"


def sweep(root: str) -> None:
    """Remove what processes that are no more had staged below a directory."""
    for folder, _, names in os.walk(root):
        for name in names:
            staged = _STAGED.fullmatch(name)
            if staged and not _lives(int(staged[1])):
                with suppress(OSError):
                    os.unlink(os.path.join(folder, name))


@contextmanager
def alone(out: str) -> Iterator[None]:
    """Wait until no other process writes below a directory. It is made for that, and goes again if it stays empty.

    Two that render different specs share the lock of rendered/cluster/, and one would drop what the other wrote.
    Where the file system or the platform has no such locks, nobody waits.
    """
    held = _hold(out)
    try:
        yield
    finally:
        if held is not None:
            descriptor, made = held
            for directory in reversed(made):
                with suppress(OSError):
                    os.rmdir(directory)
            os.close(descriptor)


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


def _hold(out: str) -> tuple[int, list[str]] | None:
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


def _lives(process: int) -> bool:
    if process == os.getpid():
        return False  # the number of another that is no more: this one has staged nothing yet
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
