"""The formats of a report. Each is a module of its name here, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from llmdgen.findings import Located

FORMATS = ("text", "json", "github", "gitlab", "sarif")


def write(form: str, findings: Sequence[Located], suppressed: Sequence[tuple[Located, str]] = ()) -> str:
    """Findings in a format. Raises KeyError where there is no such format.

    What the specs suppress, with its reason, is in JSON alone. SARIF has a place for it, but code scanning of GitHub
    opens an alert for each result and does not look there (github/codeql-action issue 1230).
    """
    if form not in FORMATS:
        raise KeyError(form)
    module = import_module(f"llmdgen.report.{form}")
    written: str = module.write(findings, suppressed) if form == "json" else module.write(findings)
    return written
