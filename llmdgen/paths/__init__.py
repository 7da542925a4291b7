"""The well-lit paths, one module each; `<module>.py` is the path's name with _ for -.

A path module has two functions and a rank, and nothing else knows it but the settings in a release's paths.toml:

    RANK: int                                      whose shape leads where paths compose; the highest wins
    def shapes(situation) -> dict[role, Shape]     the roles it has and the size it would give them
    def contribute(situation, sizes) -> Contribution
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def get(name: str) -> ModuleType:
    """The module of a path. Raises ModuleNotFoundError for a name that no module has."""
    return import_module(f"llmdgen.paths.{name.replace('-', '_')}")
