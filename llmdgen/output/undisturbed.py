"""Writing that nothing comes between: no other llmdgen that writes below the same directory, no signal between two
files."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_TRIES = 10  # to lock a directory that others make and remove meanwhile
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


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
