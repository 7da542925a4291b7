"""The code quality report of GitLab: each finding stands at its line in the merge request. Of the Code Climate
specification it reads this: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from llmdgen.findings import Located, Severity
from llmdgen.report.formats import document, encodable, from_here

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.NOTE: "info"}


def write(findings: Sequence[Located]) -> str:
    """A list of issues. Lines are not part of a fingerprint, so that a finding that merely moves stays the same one."""
    seen: dict[str, int] = {}
    return document([_issue(each, seen) for each in findings])


def _issue(each: Located, seen: dict[str, int]) -> dict[str, object]:
    place, finding = each.place, each.finding
    what = "\0".join((finding.code, place.path, finding.says))
    seen[what] = seen.get(what, 0) + 1  # two equal findings of a file are two issues
    return {
        "check_name": finding.code,
        "description": encodable(f"{finding.code}: {finding.message}"),
        "severity": _SEVERITIES[finding.severity],
        "fingerprint": sha256(f"{what}\0{seen[what]}".encode("utf-8", "surrogatepass")).hexdigest(),
        "location": {"path": encodable(from_here(place.path)), "lines": {"begin": place.line}},
    }
