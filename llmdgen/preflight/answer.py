"""What a preflight says: one row a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Literal, ParamSpec

from msgspec import Struct

from llmdgen.registry import entered
from llmdgen.secrets import mask

_P = ParamSpec("_P")
LONGEST = 300  # characters of what was found: a label can be anything
Verdict = Literal["ok", "missing", "short", "unknown"]
Reply = tuple[Verdict, str, str]
"""A verdict, what was found, and the fix."""


class Answer(Struct, frozen=True, kw_only=True):
    """One question and its answer. The verdict is `missing` for a thing that is not there or not usable, `short` for
    too little of it, and `unknown` where the cluster does not let the user ask. `fix` is empty where all is well."""

    code: str
    what: str
    needed: str
    found: str
    verdict: Verdict
    fix: str = ""

    @property
    def is_wrong(self) -> bool:
        return self.verdict in ("missing", "short")


class ClusterError(Exception):
    """The cluster cannot be asked at all. `fix` says what helps."""

    def __init__(self, says: str, fix: str) -> None:
        super().__init__(mask(f"{says} (fix: {fix})"))


class Forbidden(Exception):
    """The user may not read that: `get nodes`, as RBAC names it."""


def ok(found: str) -> Reply:
    return "ok", found, ""


def missing(found: str, fix: str) -> Reply:
    return "missing", found, fix


def short(found: str, fix: str) -> Reply:
    return "short", found, fix


def asks(code: str, title: str) -> Callable[[Callable[_P, Reply]], Callable[Concatenate[str, str, _P], Answer]]:
    """Declare a rule of the preflight. The function answers a question, and its docstring says why that is asked; it is
    called with what is asked, what the plan needs, and what it has to look at."""

    def register(judge: Callable[_P, Reply]) -> Callable[Concatenate[str, str, _P], Answer]:
        entered(code, "error", title, judge.__doc__ or "")

        def ask(what: str, needed: str, /, *about: _P.args, **named: _P.kwargs) -> Answer:
            try:
                verdict, found, fix = judge(*about, **named)
            except Forbidden as refused:
                verdict, found, fix = "unknown", "forbidden", f"ask as a user who may {refused}"
            found = mask(found if len(found) <= LONGEST else f"{found[:LONGEST]}...")
            return Answer(code=code, what=what, needed=needed, found=found, verdict=verdict, fix=fix)

        return ask

    return register
