"""Rules over what the cluster would get: how one is declared, and how all are run.

A rule is a generator over a `Rendered` directory that yields what it found. Its docstring is its documentation, which
`llmdgen explain CODE` prints from the same catalogue as that of the checks over a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from llmdgen.registry import Rule, declare
from llmdgen.verify.manifests import Manifest
from llmdgen.verify.problem import Problem
from llmdgen.verify.rendered import Rendered


class Found(Struct, frozen=True):
    """What a rule yields: the object (or the file) at fault, the path inside it, the reason and the fix."""

    object: str
    path: str
    says: str
    fix: str


Invariant = Callable[[Rendered], Iterable[Found]]

_INVARIANTS: dict[str, tuple[Rule, Invariant]] = {}


def invariant(code: str, severity: str, title: str) -> Callable[[Invariant], Invariant]:
    """Register a rule over rendered manifests under its stable code."""

    def register(check: Invariant) -> Invariant:
        _INVARIANTS[code] = (declare(code, severity, title, check.__doc__ or ""), check)
        return check

    return register


def found(at: Manifest | str, *path: str | int, says: str, fix: str) -> Found:
    """What a rule found at an object and the path of keys and indices inside it."""
    return Found(str(at), dotted(*path), says, fix)


def dotted(*path: str | int) -> str:
    """A path as text: `("spec", "containers", 0)` is `spec.containers[0]`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def run(rendered: Rendered) -> Iterator[Problem]:
    """Every problem that a registered rule finds, in the order of the codes."""
    for code in sorted(_INVARIANTS):
        rule, check = _INVARIANTS[code]
        for each in check(rendered):
            yield Problem(rule.code, rule.severity, each.object, each.path, each.says, each.fix)
