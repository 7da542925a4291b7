"""The formats of a report, and which module writes each. A module is imported when its format is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmdgen.findings import Located

Report = Callable[[Sequence[Located]], str]

FORMATS = ("text", "json", "github", "gitlab", "sarif")


def writer(form: str) -> Report:
    """The writer of a format. Raises KeyError where there is no such format."""
    if form == "text":
        from llmdgen.report import text

        return text.write
    if form == "json":
        from llmdgen.report import json

        return json.write
    if form == "github":
        from llmdgen.report import github

        return github.write
    if form == "gitlab":
        from llmdgen.report import gitlab

        return gitlab.write
    if form == "sarif":
        from llmdgen.report import sarif

        return sarif.write
    raise KeyError(form)


def write(form: str, findings: Sequence[Located], suppressed: Sequence[tuple[Located, str]] = ()) -> str:
    """Findings in a format. Raises KeyError where there is no such format.

    What the specs suppress, with its reason, is in JSON alone. SARIF has a place for it, but code scanning of GitHub
    opens an alert for each result and does not look there (github/codeql-action issue 1230).
    """
    if form == "json":
        from llmdgen.report.json import write as write_json

        return write_json(findings, suppressed)
    return writer(form)(findings)
