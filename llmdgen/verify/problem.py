"""What verification says: a code, an object of the cluster, a path in it, the reason and the fix.

A rendered directory has no spec lines to point at, so that a problem names the Kubernetes object as `Kind/name` and the
path inside it in the notation of `kubectl explain`, with names in place of list indices where a list has names.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from llmdgen.findings import Severity


class Problem(Struct, frozen=True):
    """One thing that is wrong with what the cluster would get.

    `object` is `Kind/name`, or a file of the directory where no object is at fault; `path` leads into it, "" where the
    whole is meant.
    """

    code: str
    severity: Severity
    object: str
    path: str
    says: str
    fix: str

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


class VerifyError(Exception):
    """Verification could not begin: a tool is missing, or a directory is not a rendered one. `fix` says what helps."""

    def __init__(self, says: str, fix: str) -> None:
        self.says, self.fix = says, fix
        super().__init__(f"{says} (fix: {fix})")


def line(directory: str, problem: Problem) -> str:
    """A problem as one line: `rendered/x/p5: Deployment/ms-x spec.replicas: error VER012: reason (fix: ...)`."""
    place = f"{problem.object} {problem.path}".rstrip()
    fix = f" (fix: {problem.fix})" if problem.fix else ""
    says = " ".join(problem.says.split())
    return f"{directory}: {place}: {problem.severity.value} {problem.code}: {says}{fix}"


def lines(directory: str, problems: Iterable[Problem]) -> str:
    """All problems of a directory, one a line; empty where there are none."""
    return "".join(f"{line(directory, each)}\n" for each in problems)
