from __future__ import annotations

import json
from typing import Any

from llmdgen.findings import Finding, Located, Place, Severity
from llmdgen.report.gitlab import write


def found(line: int = 10, severity: Severity = Severity.ERROR, fix: str = "did you mean replicas?") -> Located:
    return Located(Finding("SPEC005", severity, "unknown key 'replica'", fix), Place("paths/a.yaml", line, 5))


def issues(*findings: Located) -> list[dict[str, Any]]:
    document: list[dict[str, Any]] = json.loads(write(findings))
    return document


def test_an_issue_has_every_field_that_gitlab_reads() -> None:
    (issue,) = issues(found())
    assert len(issue.pop("fingerprint")) == 64
    assert issue == {
        "check_name": "SPEC005",
        "description": "SPEC005: unknown key 'replica' (fix: did you mean replicas?)",
        "severity": "critical",
        "location": {"path": "paths/a.yaml", "lines": {"begin": 10}},
    }


def test_severities_are_those_of_gitlab() -> None:
    assert [issues(found(severity=each))[0]["severity"] for each in Severity] == ["critical", "minor", "info"]


def test_a_finding_that_moves_keeps_its_fingerprint() -> None:
    assert issues(found(10))[0]["fingerprint"] == issues(found(99))[0]["fingerprint"]


def test_two_equal_findings_are_two_issues() -> None:
    first, second = issues(found(10), found(11))
    assert first["fingerprint"] != second["fingerprint"]


def test_no_finding_is_an_empty_list() -> None:
    assert write([]) == "[]\n"
