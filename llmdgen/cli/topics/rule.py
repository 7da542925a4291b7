"""Diagnostics, by their codes."""

from __future__ import annotations

from importlib import import_module

from llmdgen.checks.registry import RULES, Rule


def names() -> list[str]:
    """Every code."""
    return sorted(_rules())


def explain(topic: str) -> str | None:
    """A rule's own documentation."""
    code = topic.upper()
    if not (code[-3:].isdigit() and code[:-3].isalpha()):
        return None
    rule = _rules().get(code)
    return None if rule is None else f"{rule.code} ({rule.severity.value}): {rule.title}\n\n{rule.explanation}"


def _rules() -> dict[str, Rule]:
    from llmdgen.checks import load_all

    load_all()
    import_module("llmdgen.output.rules")
    return RULES
