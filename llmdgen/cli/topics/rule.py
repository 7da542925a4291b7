"""Diagnostics, by their codes, and families of them, by the letters that their codes begin with."""

from __future__ import annotations

from llmdgen.registry import RULES, Rule


def names() -> list[str]:
    """Every code, and every family."""
    return sorted({*_rules(), *map(_family, _rules())})


def explain(topic: str) -> str | None:
    """A rule's own documentation, or the titles of a family's rules."""
    name = topic.upper()
    if not (name[-3:].isdigit() or name.isalnum()):
        return None  # no code, and not worth importing every rule for
    rule = _rules().get(name)
    if rule is not None:
        return f"{rule.code} ({rule.severity.value}): {rule.title}\n\n{rule.explanation}"
    family = [each for code, each in sorted(_rules().items()) if _family(code) == name]
    return "\n".join(f"{each.code} ({each.severity.value}): {each.title}" for each in family) or None


def _family(code: str) -> str:
    return code[:-3]


def _rules() -> dict[str, Rule]:
    from llmdgen.checks import load_all

    load_all()
    return RULES
