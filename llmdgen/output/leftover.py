"""Whole rendered directories that no spec gives any more, because their spec was deleted or renamed."""

from __future__ import annotations

import os
from collections.abc import Collection

from llmdgen.output.check import Difference, Kind
from llmdgen.output.lock import LOCK_NAME
from llmdgen.output.tree import Writing, orphans, read_lock


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


def removal(out: str, name: str) -> Writing:
    """What takes such a directory away, the lock last; files that somebody changed stay. Raises OutputError."""
    root = os.path.join(out, name)
    removes, kept = orphans(out, name, read_lock(root).owned())
    return Writing(root=root, replaces={}, removes=(*removes, LOCK_NAME), edited=(), kept=kept, unchanged=0)


def leftover(out: str, name: str, command: str) -> Difference:
    """The same as one difference, without the text of every file."""
    mend = f"`helmfile destroy` in its directories where it is deployed, then {command}"
    return Difference(Kind.ORPHANED, os.path.join(out, name), f"no spec is called {name}", "", mend)
