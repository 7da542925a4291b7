"""Workflow commands of GitHub Actions: each finding becomes an annotation at its line of the pull request.

Escaping as in actions/toolkit, packages/core/src/command.ts: a message escapes %, CR and LF, a property also : and ,.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmdgen.findings import Located, Severity
from llmdgen.report.formats import from_here

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def write(findings: Sequence[Located]) -> str:
    """::error file=...,line=...,col=...,title=CODE::reason (fix: ...); with the spec, where a base is at fault"""
    return "".join(f"{_command(each)}\n" for each in findings)


def _command(each: Located) -> str:
    place, finding = each.place, each.finding
    properties = {
        "file": from_here(place.path),
        "line": str(place.line),
        "col": str(place.column),
        "title": finding.code,
    }
    encoded = {name: _data(value).replace(":", "%3A").replace(",", "%2C") for name, value in properties.items()}
    written = ",".join(f"{name}={value}" for name, value in encoded.items())
    return f"::{_COMMANDS[finding.severity]} {written}::{_data(finding.message + each.about)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
