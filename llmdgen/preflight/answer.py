"""What a preflight says: one row a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Generic, Literal, ParamSpec

from msgspec import Struct

from llmdgen.registry import declare

_P = ParamSpec("_P")
Verdict = Literal["ok", "missing", "short", "unknown"]


class Answer(Struct, frozen=True, kw_only=True):
    """One question and its answer. `fix` is empty where nothing needs to be done.

    The verdict is `missing` for a thing that is not there or not usable, `short` for too little of it, and `unknown`
    where the cluster does not let the user ask.
    """

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
        self.says, self.fix = says, fix
        super().__init__(f"{says} (fix: {fix})")


class Forbidden(Exception):
    """The user may not read that. `verb` and `resource` are as RBAC names them."""

    def __init__(self, verb: str, resource: str) -> None:
        self.verb, self.resource = verb, resource
        super().__init__(f"may not {verb} {resource}")


class Question(Struct, frozen=True):
    """What is asked of the cluster, under a rule's code, and what the plan needs. Its methods are the answers."""

    code: str
    what: str
    needed: str

    def ok(self, found: str) -> Answer:
        return self._answer("ok", found)

    def missing(self, found: str, fix: str) -> Answer:
        return self._answer("missing", found, fix)

    def short(self, found: str, fix: str) -> Answer:
        return self._answer("short", found, fix)

    def unknown(self, refused: Forbidden) -> Answer:
        """The answer where RBAC refuses the question."""
        return self._answer("unknown", "forbidden", f"ask as a user who may {refused.verb} {refused.resource}")

    def _answer(self, verdict: Verdict, found: str, fix: str = "") -> Answer:
        return Answer(code=self.code, what=self.what, needed=self.needed, found=found, verdict=verdict, fix=fix)


class Ask(Generic[_P]):
    """A rule of the preflight. It is called with what is asked, what the plan needs, and what it has to look at."""

    def __init__(self, code: str, judge: Callable[Concatenate[Question, _P], Answer]) -> None:
        self._code, self._judge = code, judge

    def question(self, what: str, needed: str) -> Question:
        return Question(self._code, what, needed)

    def __call__(self, what: str, needed: str, *about: _P.args, **named: _P.kwargs) -> Answer:
        question = self.question(what, needed)
        try:
            return self._judge(question, *about, **named)
        except Forbidden as refused:
            return question.unknown(refused)


def asks(code: str, title: str) -> Callable[[Callable[Concatenate[Question, _P], Answer]], Ask[_P]]:
    """Declare a rule of the preflight. The function answers it, and its docstring says why it is asked."""

    def register(judge: Callable[Concatenate[Question, _P], Answer]) -> Ask[_P]:
        declare(code, "error", title, judge.__doc__ or "")
        return Ask(code, judge)

    return register
