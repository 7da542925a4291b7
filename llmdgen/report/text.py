"""One line a finding, as compilers write them, so that editors and people find the place."""

from __future__ import annotations

from collections.abc import Sequence

from llmdgen.findings import Located, Severity

_BOLD, _DIM, _END = "\033[1m", "\033[2m", "\033[0m"
_COLOURS = {Severity.ERROR: "\033[31m", Severity.WARNING: "\033[33m", Severity.NOTE: "\033[36m"}


def write(findings: Sequence[Located]) -> str:
    """file:line:column: severity CODE: reason (fix: ...)"""
    return "".join(f"{_one_line(str(each))}\n" for each in findings)


def coloured(findings: Sequence[Located]) -> str:
    """The same lines for a terminal: the place bold, the severity in its colour, the fix dim."""
    lines = []
    for each in findings:
        place, finding = each.place, each.finding
        where = f"{_BOLD}{place.path}:{place.line}:{place.column}:{_END}"
        what = f"{_COLOURS[finding.severity]}{finding.severity.value} {finding.code}:{_END}"
        fix = f" {_DIM}(fix: {_plain(finding.fix)}){_END}" if finding.fix else ""
        lines.append(f"{where} {what} {_plain(finding.says)}{fix}\n")
    return "".join(_one_line(line[:-1]) + "\n" for line in lines)


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _plain(text: str) -> str:
    """Text that cannot steer a terminal."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
