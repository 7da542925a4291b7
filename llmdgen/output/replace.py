"""Another text in the place of a file that a person keeps: whole or not at all, with the permissions it had."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from llmdgen.output.tree import stage


class Irreplaceable(Exception):
    """The file cannot be replaced, and is as it was. The message says why."""


def replace(path: str, data: bytes) -> None:
    """Write the bytes to the file of that path, or to the one that a symbolic link there leads to.

    They are on disk under another name before they take the file's place, so that a reader finds the old text or the
    new one, and a crash leaves one of them. Raises Irreplaceable.
    """
    final = os.path.realpath(path)
    try:
        before = os.stat(final)
        if not stat.S_ISREG(before.st_mode):
            raise Irreplaceable("it is not a regular file")
        if not os.access(final, os.W_OK):
            raise Irreplaceable("it may not be written")
        _take_place(final, data, before)
    except OSError as error:
        raise Irreplaceable(error.strerror or str(error)) from error


def _take_place(final: str, data: bytes, before: os.stat_result) -> None:
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
