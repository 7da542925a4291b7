"""Why two sides cannot be compared."""

from __future__ import annotations


class DiffError(Exception):
    """One side cannot be read. `place` is a file, with line and column where they are known, or the side as it was
    named; `fix` says what helps."""

    def __init__(self, place: str, says: str, fix: str) -> None:
        self.place, self.says, self.fix = place, says, fix
        super().__init__(f"{place}: error: {says} (fix: {fix})")
