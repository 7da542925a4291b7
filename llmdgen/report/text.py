"""One line a finding, as compilers write them, so that editors and people find the place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmdgen.findings import Located, Severity
from llmdgen.shown import filled, visible

_BOLD, _DIM, _END = "\033[1m", "\033[2m", "\033[0m"
_COLOURS = {Severity.ERROR: "\033[31m", Severity.WARNING: "\033[33m", Severity.NOTE: "\033[36m"}


def write(findings: Sequence[Located], colour: bool = False, width: int = 0) -> str:
    """file:line:column: severity CODE: reason (fix: ...); for a terminal in colour, and wrapped at its width."""
    return "".join(f"{_line(each, colour, width)}\n" for each in findings)


def _line(each: Located, colour: bool, width: int) -> str:
    line = visible(str(each))
    if width and len(line) > width:
        line = filled(line, width, rest="    ")
    if not colour:
        return line
    severity, code = each.finding.severity, each.finding.code
    parts = re.fullmatch(rf"(.*?:)(\s+)({severity.value}\s+{code}:)(.*?)(\(fix:.*)?", line, re.DOTALL)
    if parts is None:
        return line
    fix = f"{_DIM}{parts[5]}{_END}" if parts[5] else ""
    return f"{_BOLD}{parts[1]}{_END}{parts[2]}{_COLOURS[severity]}{parts[3]}{_END}{parts[4]}{fix}"
