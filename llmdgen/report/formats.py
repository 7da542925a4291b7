"""The formats of a report. Each is a module of its name beside this one, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import cast

from llmdgen.findings import Located

Report = Callable[[Sequence[Located]], str]

FORMATS = ("text", "json", "github", "gitlab", "sarif")


def writer(form: str) -> Report:
    """The writer of a format. Raises KeyError where there is no such format."""
    if form not in FORMATS:
        raise KeyError(form)
    return cast(Report, import_module(f"llmdgen.report.{form}").write)


def write(form: str, findings: Sequence[Located], suppressed: Sequence[tuple[Located, str]] = ()) -> str:
    """Findings in a format. Raises KeyError where there is no such format.

    What the specs suppress, with its reason, is in JSON alone. SARIF has a place for it, but code scanning of GitHub
    opens an alert for each result and does not look there (github/codeql-action issue 1230).
    """
    if form == "json":
        from llmdgen.report.json import write as write_json

        return write_json(findings, suppressed)
    return writer(form)(findings)
