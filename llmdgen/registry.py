"""Rules: what one is called, what it says of itself, and what it looks at.

A rule is a generator over one thing, decorated with its code. The type of its only parameter says what that thing is:
a `Plan`, the `RoleSettings` of one role's vLLM, the `Servers` and the `SchedulerConfig` of a plan or of what helm
prints, one `Workload`, `Container` or `Engine` of the servers, the whole of a `Rendered` directory. Its docstring is
its documentation: `llmdgen explain CODE` and docs/diagnostics.md print it as it stands, so it says why the rule holds
and shows what fails and what passes.

Where a step notices a mistake while it does its work (reading a file, composing paths, asking a cluster), the code is
declared beside it and the step makes the finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

from msgspec import Struct

from llmdgen.findings import Finding, Route, Severity

READ = "read in source, not seen on hardware"  # what a message adds where nobody saw its fault happen
MOST_OF_A_RULE = 100  # findings of one rule in one plan: whoever mends a hundred runs the command again


class Draft(Struct, frozen=True):
    """A finding without its code: what a rule yields. `of` is the object that `at` leads into, empty for the spec."""

    at: Route
    says: str
    fix: str
    on_key: bool = False
    of: str = ""


Check = Callable[[Any], Iterable[Draft]]


class Rule(Struct, frozen=True):
    """A rule of the catalogue. `subject` is the type that `check` looks at; both are empty for rules that another
    stage applies while it reads a file or asks a cluster. `read`: its fault was only read in source, and each message
    says so.
    """

    code: str
    severity: Severity
    title: str
    text: str
    check: Check | None = None
    subject: str = ""
    read: bool = False

    @property
    def explanation(self) -> str:
        """What the rule says of itself: why it holds, what fails, what passes."""
        from inspect import cleandoc

        return cleandoc(self.text)

    def at(self, *route: str | int, says: str, fix: str, on_key: bool = False, of: object = "") -> Finding:
        """A finding of this rule at a place."""
        return self.finding(found(*route, says=says, fix=fix, on_key=on_key, of=of))

    def finding(self, draft: Draft) -> Finding:
        says = f"{draft.says} ({READ})" if self.read else draft.says
        return Finding(self.code, self.severity, says, draft.fix, draft.at, draft.on_key, draft.of)


RULES: dict[str, Rule] = {}
_LOOKING_AT: dict[str, list[Rule]] = {}
"""The rules that look at things of a type, by its name."""


def rule(code: str, severity: str, title: str, *, read: bool = False) -> Callable[[Check], Check]:
    """Register a check under its stable code. Its only parameter has to be annotated with what it looks at; `read`: its
    fault was read in source, and not seen on hardware."""

    def register(check: Check) -> Check:
        entered(code, severity, title, check.__doc__ or "", check, read=read)
        return check

    return register


def declare(text: str) -> Rule:
    """A rule that a step applies while it works: `CODE severity: title`, and below that the explanation."""
    head, _, explanation = text.partition("\n")
    code, severity, title = re.split(": | ", head, maxsplit=2)
    return entered(code, severity, title, explanation)


def entered(
    code: str, severity: str, title: str, explanation: str, check: Check | None = None, *, read: bool = False
) -> Rule:
    """Add a rule to the catalogue. Raises ValueError where the code is taken or the explanation is missing."""
    if code in RULES:
        raise ValueError(f"{code} is declared twice")
    if not explanation.strip():
        raise ValueError(f"{code} has no explanation")
    first = next(iter(check.__annotations__.values())) if check else ""
    subject = first if isinstance(first, str) else first.__name__
    made = Rule(code, Severity(severity), title, explanation, check, subject, read)
    RULES[code] = made
    _LOOKING_AT.setdefault(made.subject, []).append(made)
    return made


def found(*at: str | int, says: str, fix: str, on_key: bool = False, of: object = "") -> Draft:
    """What a rule yields: the route, the reason and the fix; `of` is the object, where the route leads into one."""
    return Draft(at, says, fix, on_key, str(of))


def run(whole: object) -> Iterator[Finding]:
    """Every finding of every rule that looks at things of this type or at its `parts`, in the order of the codes."""
    subjects: dict[str, Iterable[object]] = {type(whole).__name__: (whole,), **getattr(whole, "parts", {})}
    rules = (each for name in subjects for each in _LOOKING_AT.get(name, ()))
    for rule in sorted(rules, key=lambda rule: rule.code):
        if rule.check is not None:
            drafts = chain.from_iterable(map(rule.check, subjects[rule.subject]))
            yield from map(rule.finding, islice(drafts, MOST_OF_A_RULE))
