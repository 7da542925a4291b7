"""Findings as one JSON document, for programs. A new version number announces every change of its form."""

from __future__ import annotations

from collections.abc import Sequence

from llmdgen.findings import Located
from llmdgen.report.document import document, encodable

VERSION = 1


def write(findings: Sequence[Located]) -> str:
    """{"version": 1, "findings": [{"file", "line", "column", "code", "severity", "message", "fix"}]}

    A finding about a value of a base has the key "spec" too: the file of the spec that extends it.
    """
    rows = [
        {
            "file": encodable(each.place.path),
            "line": each.place.line,
            "column": each.place.column,
            "code": each.finding.code,
            "severity": each.finding.severity.value,
            "message": encodable(each.finding.says),
            "fix": encodable(each.finding.fix),
            **({"spec": encodable(each.place.spec)} if each.place.spec else {}),
        }
        for each in findings
    ]
    return document({"version": VERSION, "findings": rows})
