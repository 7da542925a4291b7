"""The well-lit paths, one module each; `<module>.py` is the path's name with _ for -.

A path module has two functions and a rank, and nothing else knows it but the settings in a release's paths.toml:

    RANK: int                                      whose shape leads where paths compose; the highest wins
    def shapes(situation) -> dict[role, Shape]     the roles it has and the size it would give them
    def contribute(situation, sizes) -> Contribution
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from llmdgen.composition.contribution import Contribution, Shape, Situation
from llmdgen.composition.names import RoleName
from llmdgen.engine.size import Size


class Path(Protocol):
    """What a path module offers."""

    RANK: int

    def shapes(self, situation: Situation) -> dict[RoleName, Shape]: ...

    def contribute(self, situation: Situation, sizes: dict[RoleName, Size]) -> Contribution: ...


def get(name: str) -> Path:
    """The module of a path. Raises ModuleNotFoundError for a name that no module has."""
    return cast(Path, import_module(f"llmdgen.paths.{name.replace('-', '_')}"))
