"""Reports: findings written in the form that their reader wants, one small file a format.

A format is a module here with one function, `write(findings) -> str`, whose text ends with a line break unless it is
empty. Every format keeps the order of the findings and loses nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from llmdgen.findings import Located

Report = Callable[[Sequence[Located]], str]

FORMATS = ("text", "json", "github", "sarif")


def report(form: str, colour: bool = False) -> Report:
    """The writer of a format, imported when it is asked for. `colour` is for text. Raises KeyError elsewhere."""
    if form == "text":
        from llmdgen.report import text

        return text.coloured if colour else text.write
    if form == "json":
        from llmdgen.report import json

        return json.write
    if form == "github":
        from llmdgen.report import github

        return github.write
    if form == "sarif":
        from llmdgen.report import sarif

        return sarif.write
    raise KeyError(form)


def in_order(findings: Iterable[Located]) -> list[Located]:
    """Findings by file, line and column, each once."""
    unique = dict.fromkeys(findings)
    return sorted(unique, key=lambda each: (each.place, each.finding.code))
