"""What reaches a terminal: findings on stderr, one a line, and nothing that a terminal would obey."""

from __future__ import annotations

from collections.abc import Iterable

import click

from llmdgen import shown
from llmdgen.findings import Located, Severity


def visible(text: str) -> str:
    """The same of every line of a text: names and files may hold anything."""
    return "\n".join(map(shown.visible, text.split("\n")))


def has_colour() -> bool:
    """Whether stdout is a terminal that wants colour (no-color.org)."""
    import os
    import sys

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def say(text: str) -> None:
    """A line for a person, on stdout."""
    click.echo(visible(text))


def complain(text: str) -> None:
    """One line on stderr."""
    click.echo(" ".join(visible(text).split("\n")), err=True)


def report(findings: Iterable[Located], notes: bool = False) -> None:
    """Findings on stderr, each once, in the order given; notes, which SUMMARY.md repeats, only where asked for."""
    for each in dict.fromkeys(findings):
        if notes or each.finding.severity is not Severity.NOTE:
            complain(str(each))


def count(number: int, thing: str) -> str:
    """1 file, 2 files."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def columns(rows: Iterable[Iterable[object]], header: Iterable[str]) -> str:
    """Rows as a table for a terminal: columns as wide as they must be, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    if not cells[1:]:
        return "  ".join(cells[0])
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    numeric = [all(cell[:1].isdigit() or cell == "-" for cell in column[1:]) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    )
    return "\n".join(lines)
