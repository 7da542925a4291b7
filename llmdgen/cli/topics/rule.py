"""Diagnostics, by their codes."""

from __future__ import annotations

from llmdgen.checks.registry import RULES, Rule


def names() -> list[str]:
    """Every code."""
    return sorted(_rules())


def explain(topic: str) -> str | None:
    """A rule's own documentation."""
    if not topic[-3:].isdigit():
        return None  # no code, and not worth importing every rule for
    rule = _rules().get(topic.upper())
    return None if rule is None else f"{rule.code} ({rule.severity.value}): {rule.title}\n\n{rule.explanation}"


def _rules() -> dict[str, Rule]:
    from llmdgen.checks import load_all

    load_all()
    return RULES
