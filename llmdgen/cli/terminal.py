"""What reaches a terminal: findings on stderr, texts and tables on stdout, and nothing that a terminal would obey."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from itertools import zip_longest
from typing import TextIO

import click

from llmdgen import shown
from llmdgen.findings import Located, Severity

_BETWEEN = "  "  # two columns
_TINTED = re.compile(r"((?:\x1b\[\d*m)*)(.*?)((?:\x1b\[\d*m)*)", re.DOTALL)  # a line and the colour around it
_ROW = re.compile(r"(?:  )?\S(?:\S| (?! )){0,20}  +(?=\S)|Passes: ")  # a name and the blanks before its value


def visible(text: str) -> str:
    """Every line of a text as it may be shown: names and files may hold anything."""
    return "\n".join(map(shown.visible, text.split("\n")))


def has_colour(stream: TextIO | None = None) -> bool:
    """Whether a stream, stdout where none is named, gets colour: where FORCE_COLOR is set, else on a terminal; nowhere
    where NO_COLOR is set (no-color.org). The log of a pipeline is no terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    is_terminal = (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal


def say(text: str) -> None:
    """A text for a person, on stdout."""
    click.echo(visible(text))


def tell(text: str) -> None:
    """A text of sentences, on stdout: what is longer than a terminal is wide wraps between words."""
    click.echo(folded(visible(text)))


def folded(text: str, stream: TextIO | None = None) -> str:
    """The text as a terminal is to show it; for a file or a pipe it stays as it is. What goes on in another line stands
    further in than its line, and below the second column where the line has two."""
    if not _is_terminal(stream or sys.stdout):
        return text
    width = _width()
    return "\n".join(line if len(line) <= width else _folded(line, width) for line in text.split("\n"))


def _folded(line: str, width: int) -> str:
    parts = _TINTED.fullmatch(line)
    assert parts is not None
    start, said, end = parts.groups()
    row = _ROW.match(said)
    hang = " " * (len(row[0]) if row else len(said) - len(said.lstrip()) + 4)
    return start + shown.filled(said, width, rest=hang) + end


def print_json(value: object) -> None:
    """A document for a program, on stdout."""
    from llmdgen.report.formats import document

    click.echo(document(value), nl=False)


def complain(text: str) -> None:
    """One line on stderr, every secret in it masked, which a terminal may have to wrap."""
    from llmdgen.secrets import mask

    click.echo(folded(" ".join(visible(mask(text)).split("\n")), sys.stderr), err=True)


def report(findings: Iterable[Located], notes: bool = False) -> None:
    """Findings on stderr, each once, in the order given; notes, which SUMMARY.md repeats, only where asked for. On a
    terminal long ones wrap."""
    listed = [each for each in dict.fromkeys(findings) if notes or each.finding.severity is not Severity.NOTE]
    if listed:
        from llmdgen.report.text import write

        width = _width() if _is_terminal(sys.stderr) else 0
        click.echo(write(listed, has_colour(sys.stderr), width), err=True, nl=False)


def count(number: int, thing: str) -> str:
    """1 file, 2 files."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def columns(rows: Iterable[Iterable[object]], header: Iterable[str]) -> str:
    """Rows as a table: numbers to the right, and columns as wide as they must be, or narrower and of several lines
    where the terminal, or 80 columns without one, has no room for all of them."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    numeric = [all(cell[:1].isdigit() or cell == "-" for cell in column[1:]) for column in zip(*cells, strict=True)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    too_wide = sum(widths) + len(_BETWEEN) * (len(widths) - 1) - _width()
    if too_wide > 0:
        cells[0] = [head.replace("/", " /") for head in cells[0]]
        least = [
            max(len(word) for cell in column for word in cell.split() or [""]) for column in zip(*cells, strict=True)
        ]
        for _ in range(too_wide):
            widest = max(range(len(widths)), key=lambda at: (widths[at] > least[at], widths[at]))
            widths[widest] = max(least[widest], widths[widest] - 1)
    lines = []
    for row in cells:
        for parts in zip_longest(*map(_lines, row, widths), fillvalue=""):
            placed = zip(parts, widths, numeric, strict=True)
            aligned = (part.rjust(width) if is_number else part.ljust(width) for part, width, is_number in placed)
            lines.append(_BETWEEN.join(aligned).rstrip())
    return "\n".join(lines)


def _lines(text: str, width: int) -> list[str]:
    return [text] if len(text) <= width else shown.filled(text, width).split("\n")


def width_of(most: int) -> int:
    """How wide a text of sentences may be: as wide as the terminal, `most` without one."""
    return min(most, _width()) if _is_terminal(sys.stdout) else most


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def _width() -> int:
    """The columns of the terminal, or those that COLUMNS says; 80 without either."""
    from shutil import get_terminal_size

    return get_terminal_size().columns
