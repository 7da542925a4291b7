"""SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

A rule's text is that of the catalogue. The fix stands in the message, since a SARIF `fix` is an exact replacement of
text, which a reason does not always name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any
from urllib.parse import quote

from llmdgen.findings import Located, Severity
from llmdgen.registry import RULES, Rule
from llmdgen.report.formats import document, encodable, from_here
from llmdgen.version import VERSION

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def write(findings: Sequence[Located]) -> str:
    """One run of one tool, with the rules that its results name."""
    import_module("llmdgen.spec.rules")  # declares the rules of reading a spec

    codes = sorted({each.finding.code for each in findings})
    driver = {"name": "llmdgen", "version": VERSION, "semanticVersion": VERSION, "rules": [*map(_rule, codes)]}
    run = {
        "tool": {"driver": driver},
        # SARIF counts columns in UTF-16 units unless it is told; ours are characters.
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, codes.index(each.finding.code)) for each in findings],
    }
    return document({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(code: str) -> dict[str, Any]:
    rule: Rule | None = RULES.get(code)
    if rule is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation.partition("\n\n")[0].replace("\n", " ")},
        "help": {"text": rule.explanation, "markdown": f"```text\n{rule.explanation}\n```"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(each: Located, rule: int) -> dict[str, Any]:
    place, finding = each.place, each.finding
    text = f"{finding.says}{each.about}"
    text = f"{text}\nFix: {finding.fix}" if finding.fix else text
    region = {"startLine": place.line, "startColumn": place.column}
    uri = quote(os.fsencode(from_here(place.path).replace("\\", "/")))  # a name that is not UTF-8 by its bytes
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": encodable(text)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
        "properties": {"fix": encodable(finding.fix)},
    }
