"""Findings as one JSON document, for programs. A new version number announces every change of its form."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from llmdgen.findings import Located

VERSION = 1


def write(findings: Sequence[Located]) -> str:
    """{"version": 1, "findings": [{"file", "line", "column", "code", "severity", "message", "fix"}]}

    A finding about a value of a base has the key "spec" too: the file of the spec that extends it.
    """
    rows = [
        {
            "file": each.place.path,
            "line": each.place.line,
            "column": each.place.column,
            "code": each.finding.code,
            "severity": each.finding.severity.value,
            "message": each.finding.says,
            "fix": each.finding.fix,
            **({"spec": each.place.spec} if each.place.spec else {}),
        }
        for each in findings
    ]
    document = msgspec.json.encode({"version": VERSION, "findings": rows})
    return msgspec.json.format(document, indent=2).decode("utf-8") + "\n"
