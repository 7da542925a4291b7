"""Findings as one JSON document, for programs; schemas/findings.v1.json describes it. A new version number announces
every change that a reader of the old form would stumble over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmdgen.findings import Located
from llmdgen.report.formats import document, encodable

VERSION = 1


def write(findings: Sequence[Located], suppressed: Sequence[tuple[Located, str]] = ()) -> str:
    """{"version": 1, "findings": [...], "suppressed": [...]}: what the specs suppress has its reason too."""
    silenced = [{**_row(each), "reason": encodable(reason)} for each, reason in suppressed]
    return document({"version": VERSION, "findings": [*map(_row, findings)], "suppressed": silenced})


def _row(each: Located) -> dict[str, Any]:
    place, finding = each.place, each.finding
    row = {
        "file": encodable(place.path),
        "line": place.line,
        "column": place.column,
        "code": finding.code,
        "severity": finding.severity.value,
        "message": encodable(finding.says),
        "fix": encodable(finding.fix),
    }
    return row | ({"spec": encodable(place.spec)} if place.spec else {})  # which extends the file with that value
