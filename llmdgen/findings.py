"""What a check says: a code, a place in the spec, the reason and the fix.

A finding names its place by a *route*, the keys and indices from the document's root. Lines and columns are worked
out once, at the end, by the document that owns the text (`llmdgen.spec.document`), so that no check handles them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

Route = tuple[str | int, ...]


class Severity(StrEnum):
    """How much a finding weighs: an error stops the spec, a warning is printed, a note is for the summary."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(Struct, frozen=True):
    """One thing a rule found. `at` is the route to the value at fault, or to its key where `on_key` is set: through the
    spec or, where `of` names an object of the cluster (`Kind/name`) or a rendered file, through that."""

    code: str
    severity: Severity
    says: str
    fix: str
    at: Route = ()
    on_key: bool = False
    of: str = ""

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def message(self) -> str:
        """The reason and the fix."""
        return f"{self.says} (fix: {self.fix})" if self.fix else self.says

    @property
    def path(self) -> str:
        return dotted(self.at)


def dotted(route: Route) -> str:
    """A route as a reader writes it: `("spec", "containers", 0)` is `spec.containers[0]`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in route).removeprefix(".")


def in_directory(directory: str, finding: Finding) -> str:
    """A finding about an object as one line: `rendered/x/p5: Deployment/x spec.replicas: error VER012: ...`."""
    place = f"{directory}: {finding.of} {finding.path}".rstrip(" :")
    return f"{place}: {finding.severity.value} {finding.code}: {' '.join(finding.message.split())}"


class Place(Struct, frozen=True, order=True):
    """A position in a file; line and column count from 1. `spec` is the file of the spec that the finding is about,
    where the place is in a base that it extends."""

    path: str
    line: int = 1
    column: int = 1
    spec: str = ""


class Located(Struct, frozen=True):
    """A finding and where it stands."""

    finding: Finding
    place: Place

    @property
    def is_error(self) -> bool:
        return self.finding.severity is Severity.ERROR

    @property
    def about(self) -> str:
        """What a report adds where the place is in a base, which many specs may extend."""
        return f" (spec: {self.place.spec})" if self.place.spec else ""

    def __str__(self) -> str:
        place, finding = self.place, self.finding
        what = f"{finding.severity.value} {finding.code}: {finding.message}{self.about}"
        return f"{place.path}:{place.line}:{place.column}: {what}"


def in_order(findings: Iterable[Located]) -> tuple[Located, ...]:
    """Findings, each once, in the order of the lines."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda found: (found.place, found.finding.code)))


class SpecError(Exception):
    """A spec that cannot be used. `findings` holds every reason, in the order of the file."""

    def __init__(self, findings: Iterable[Located]) -> None:
        self.findings = in_order(findings)
        super().__init__("\n".join(str(found) for found in self.findings))
