"""Why verification could not begin."""

from __future__ import annotations


class VerifyError(Exception):
    """A tool is missing, or a directory is not a rendered one. `fix` says what helps."""

    def __init__(self, says: str, fix: str) -> None:
        self.says, self.fix = says, fix
        super().__init__(f"{says} (fix: {fix})")
