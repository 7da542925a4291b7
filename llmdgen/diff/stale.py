"""Where a rendered directory is not what its specs give now: who compares it would compare what nobody asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llmdgen.api import targets
from llmdgen.diff.fold import Stale
from llmdgen.diff.git import files_with
from llmdgen.findings import SpecError
from llmdgen.output.lock import LOCK_NAME, Lock, LockError, parse
from llmdgen.spec.load import load_all
from llmdgen.spec.model import Spec


def stale(directory: str) -> tuple[Stale, ...]:
    """Every deployment in, below or around a rendered directory whose spec says something else by now. Specs are looked
    for in the git repository around; without one, or without a lock, nothing is known."""
    locks = {os.path.basename(os.path.abspath(root)): (root, lock) for root, lock in _locks(directory)}
    if not locks:
        return ()
    names = "|".join(re.escape(name) for name in locks)
    found: dict[str, list[Stale | None]] = {}
    for path in files_with("kind.*WellLitPath", rf"name.*({names})", beside=directory):
        with suppress(SpecError, OSError):
            for spec in load_all(path):
                if spec.name in locks:
                    found.setdefault(spec.name, []).append(_judged(spec, path, *locks[spec.name]))
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


def _judged(spec: Spec, path: str, root: str, lock: Lock) -> Stale | None:
    """What a spec says of the directory that has its name; None where they agree.

    Of a target that disagrees, the lock has another spec, or nothing, or the spec gives it no more."""
    says, known = spec.digest, {name: entry.spec for name, entry in lock.targets.items()}
    others = tuple(name for name in dict.fromkeys((*targets(spec), *known)) if known.get(name) != says)
    if not others:
        return None
    why = "never rendered" if known.keys().isdisjoint(others) else "the spec changed since it was rendered"
    out = os.path.dirname(root)
    where = "" if out == "rendered" else f" -o {out or '.'}"
    return Stale(root, others, path, why, f"llmdgen render {path}{where}")
