"""The formats of a report, and what they share. Each is a module of its name here, imported when it is asked for: one
function, `write(findings) -> str`, that ends every line with a line break and keeps the order of the findings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import msgspec

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


def document(value: Any) -> str:
    """A JSON document, indented, with a line break at its end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8") + "\n"


def encodable(text: str) -> str:
    """The text, with what UTF-8 cannot encode written as escapes: the bytes of a name that Python could not decode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def from_here(path: str) -> str:
    """A path as a repository names its files, with which readers of annotations compare it as text: from where the
    command runs, without ./ and .. that lead nowhere."""
    if not path or "\0" in path:
        return path
    short = os.path.normpath(path)
    try:
        if os.path.isabs(short):
            return short.removeprefix(os.getcwd().rstrip(os.sep) + os.sep)
        return short if os.path.realpath(short) == os.path.realpath(path) else path
    except FileNotFoundError:  # the working directory is gone
        return path
