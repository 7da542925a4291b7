"""The well-lit paths, one module each; `PATHS/<module>.py` with - for _ in the path's name.

A path module has two functions, and nothing else knows it:

    RANK: int                                      whose shape leads where paths compose; the highest wins
    def shapes(situation) -> dict[role, Shape]     the roles it has and the size it would give them
    def contribute(situation, sizes) -> Contribution
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Protocol, cast

from llmdgen.planning.contribution import Contribution, RoleName, Shape, Situation, Size
from llmdgen.resources import PACKAGE


class Path(Protocol):
    """What a path module offers."""

    RANK: int

    def shapes(self, situation: Situation) -> dict[RoleName, Shape]: ...

    def contribute(self, situation: Situation, sizes: dict[RoleName, Size]) -> Contribution: ...


@cache
def names() -> tuple[str, ...]:
    """Every well-lit path, by the files of this folder."""
    files = (PACKAGE / "paths").glob("[!_]*.py")
    return tuple(sorted(file.stem.replace("_", "-") for file in files))


def get(name: str) -> Path:
    """The module of a path. Raises KeyError for a name that is not in `names()`."""
    if name not in names():
        raise KeyError(name)
    return cast(Path, import_module(f"llmdgen.paths.{name.replace('-', '_')}"))
