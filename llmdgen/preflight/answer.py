"""What a preflight says: one row a question."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from llmdgen.registry import Rule

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


def ok(rule: Rule, what: str, needed: str, found: str) -> Answer:
    return Answer(code=rule.code, what=what, needed=needed, found=found, verdict="ok")


def missing(rule: Rule, what: str, needed: str, found: str, fix: str) -> Answer:
    return Answer(code=rule.code, what=what, needed=needed, found=found, verdict="missing", fix=fix)


def short(rule: Rule, what: str, needed: str, found: str, fix: str) -> Answer:
    return Answer(code=rule.code, what=what, needed=needed, found=found, verdict="short", fix=fix)


def unknown(rule: Rule, what: str, needed: str, refused: Forbidden) -> Answer:
    """The answer where RBAC refuses the question."""
    fix = f"ask as a user who may {refused.verb} {refused.resource}"
    return Answer(code=rule.code, what=what, needed=needed, found="forbidden", verdict="unknown", fix=fix)
