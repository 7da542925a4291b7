"""Where a rendered directory is not what its specs give now: who compares it would compare what nobody asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from llmdgen.diff.fold import Stale
from llmdgen.diff.git import files_with
from llmdgen.findings import SpecError
from llmdgen.output.lock import LOCK_NAME, Lock, LockError, parse

_NONE = "never rendered"


def stale(directory: str) -> tuple[Stale, ...]:
    """Every deployment in or below a rendered directory, or around it, whose spec says something else by now.

    Specs are looked for in the git repository around; without one, or without a lock, nothing is known.
    """
    locks = {os.path.basename(os.path.abspath(root)): (root, lock) for root, lock in _locks(directory)}
    if not locks:
        return ()
    names = "|".join(re.escape(name) for name in locks)
    files = files_with("kind.*WellLitPath", rf"name.*({names})", beside=directory)
    found: dict[str, list[Stale | None]] = {}
    for path in files:
        for name, each in _judged(path, locks):
            found.setdefault(name, []).append(each)
    # Where several specs have one name, the directory is of the one that agrees with it.
    return tuple(each for of in found.values() if None not in of for each in of[:1] if each is not None)


def _locks(directory: str) -> Iterator[tuple[str, Lock]]:
    """The locks that say what is in a directory: its own, those of its directories, or that of a single target."""
    here = Path(directory)
    found = [here, Path(os.path.abspath(here)).parent, *sorted(each.parent for each in here.glob(f"*/{LOCK_NAME}"))]
    for root in found:
        file = root / LOCK_NAME
        if file.is_file():
            try:
                yield os.path.relpath(root), parse(file.read_bytes())
            except (LockError, OSError):
                continue  # `llmdgen render --check` says what is wrong with it


def _judged(path: str, locks: dict[str, tuple[str, Lock]]) -> Iterator[tuple[str, Stale | None]]:
    """What each spec of a file says of the directory that has its name; None where they agree."""
    from llmdgen.spec.load import load_all

    try:
        specs = load_all(path)
    except (SpecError, OSError):
        return
    for spec in specs:
        if spec.name in locks:
            from llmdgen.api import targets
            from llmdgen.rendering.digests import spec_digest

            root, lock = locks[spec.name]
            says = spec_digest(spec)
            others = _differing(targets(spec), lock, says)
            if not others:
                yield spec.name, None
                continue
            is_new = all(each not in lock.targets for each in others)
            why = _NONE if is_new else "the spec changed since it was rendered"
            out = os.path.dirname(root)
            where = "" if out == "rendered" else f" -o {out or '.'}"
            yield spec.name, Stale(root, others, path, why, f"llmdgen render {path}{where}")


def _differing(wanted: Iterable[str], lock: Lock, says: str) -> tuple[str, ...]:
    """The targets that the spec gives and the lock has of another spec, or not at all, or that the spec gives no
    more."""
    known = {name: entry.spec for name, entry in lock.targets.items()}
    return tuple(name for name in dict.fromkeys((*wanted, *known)) if known.get(name) != says)
