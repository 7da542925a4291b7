"""One line a finding, as compilers write them, so that editors and people find the place."""

from __future__ import annotations

from collections.abc import Sequence

from llmdgen.findings import Located, Severity
from llmdgen.shown import visible

_BOLD, _DIM, _END = "\033[1m", "\033[2m", "\033[0m"
_COLOURS = {Severity.ERROR: "\033[31m", Severity.WARNING: "\033[33m", Severity.NOTE: "\033[36m"}


def write(findings: Sequence[Located], colour: bool = False) -> str:
    """file:line:column: severity CODE: reason (fix: ...); for a terminal the same in colour."""
    line = _coloured if colour else _plain
    return "".join(f"{line(each)}\n" for each in findings)


def _plain(each: Located) -> str:
    return visible(str(each))


def _coloured(each: Located) -> str:
    place, finding = each.place, each.finding
    where = f"{_BOLD}{visible(place.path)}:{place.line}:{place.column}:{_END}"
    what = f"{_COLOURS[finding.severity]}{finding.severity.value} {finding.code}:{_END}"
    fix = f" {_DIM}(fix: {visible(finding.fix)}){_END}" if finding.fix else ""
    return f"{where} {what} {visible(finding.says)}{fix}{visible(each.about)}"
