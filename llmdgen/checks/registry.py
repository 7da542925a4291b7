"""Rules: what a check is called, what it says of itself, and how it is run.

A check is a generator over a plan, decorated with its code. Its docstring is its documentation: `llmdgen explain CODE`
and docs/diagnostics.md print it as it stands, so it says why the rule holds and shows what fails and what passes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from llmdgen.findings import Finding, Route, Severity

if TYPE_CHECKING:
    from llmdgen.planning.model import Plan


class Draft(Struct, frozen=True):
    """A finding without its code: what a check yields."""

    at: Route
    says: str
    fix: str
    on_key: bool = False


MOST_OF_A_RULE = 100  # findings of one rule in one plan: whoever mends a hundred runs the command again

Check = Callable[["Plan"], Iterable[Draft]]


class Rule(Struct, frozen=True):
    """A rule of the catalogue. `check` is None for rules that another stage applies while it reads a file."""

    code: str
    severity: Severity
    title: str
    text: str
    check: Check | None = None

    @property
    def explanation(self) -> str:
        """What the rule says of itself: why it holds, what fails, what passes."""
        from inspect import cleandoc

        return cleandoc(self.text)

    def finding(self, draft: Draft) -> Finding:
        return Finding(self.code, self.severity, draft.says, draft.fix, draft.at, draft.on_key)


RULES: dict[str, Rule] = {}


def rule(code: str, severity: str, title: str) -> Callable[[Check], Check]:
    """Register a check over a plan under its stable code."""

    def register(check: Check) -> Check:
        declare(code, severity, title, check.__doc__ or "", check)
        return check

    return register


def declare(code: str, severity: str, title: str, explanation: str, check: Check | None = None) -> Rule:
    """Add a rule to the catalogue. Raises ValueError where the code is taken or the explanation is missing."""
    if code in RULES:
        raise ValueError(f"{code} is declared twice")
    if not explanation.strip():
        if sys.flags.optimize < 2:
            raise ValueError(f"{code} has no explanation")
        explanation = "Python runs with -OO, which leaves explanations out."
    RULES[code] = Rule(code, Severity(severity), title, explanation, check)
    return RULES[code]


def found(*at: str | int, says: str, fix: str, on_key: bool = False) -> Draft:
    """What a check yields: the route, the reason and the fix."""
    return Draft(at, says, fix, on_key)


def run(plan: Plan) -> Iterator[Finding]:
    """Every finding of every registered check, in the order of the codes."""
    for code in sorted(RULES):
        each = RULES[code]
        if each.check is not None:
            for draft in islice(each.check(plan), MOST_OF_A_RULE):
                yield each.finding(draft)
