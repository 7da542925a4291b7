"""What becomes of one document on one step: edited where that is safe, else said with its reason and its fix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from llmdgen.facts.upgrades import Moves
from llmdgen.findings import Located, Route
from llmdgen.spec.fields import ROLES
from llmdgen.spec.model import Spec
from llmdgen.upgrade.cases import Case, cases, type_of
from llmdgen.upgrade.edits import Editor
from llmdgen.upgrade.layout import CannotEdit, scalar
from llmdgen.upgrade.rules import BY_HAND, CHANGES, noted

_FLAG_DEPTH = len(("spec", "engine", "args", "all2all-backend"))
_RELEASE: Route = ("spec", "release")
_PATH: Route = ("spec", "path")


class _ByHand(Exception):
    """Why a setting is left to a person, and what to do."""

    def __init__(self, says: str, fix: str) -> None:
        super().__init__(says)
        self.says, self.fix = says, fix


def take_step(editor: Editor, spec: Spec, release: str, step: Moves) -> Iterator[Located]:
    """Edit the document for a release, `spec.release` aside; what is worth saying of it."""
    for case in tuple(cases(editor.data, release, step)):
        try:
            _settle(editor, case, release)
        except CannotEdit as error:
            fix = f"change it by hand: {in_words(case)}"
            yield noted(BY_HAND, spec, case.route, f"{case.name} cannot be changed here: {error}", fix, True)
        except _ByHand as error:
            yield noted(BY_HAND, spec, case.route, error.says, error.fix, True)
        else:
            if case.move.says:
                yield noted(CHANGES, spec, case.route, f"{case.name}: {case.move.says}", case.move.fix, True)
    for note in step.notes:
        at = ("spec", *note.at.split(".")) if note.at else _RELEASE
        there = editor.get(at)
        if not note.at or (there is not None and note.value in (UNSET, there)):
            yield noted(CHANGES, spec, at, note.says, note.fix)


def set_release(editor: Editor, spec: Spec, release: str) -> Iterator[Located]:
    """Name the release, behind the path where it was not named."""
    try:
        editor.put(_RELEASE, release, after=_PATH)
    except CannotEdit as error:
        says = f"spec.release cannot be set here: {error}"
        yield noted(BY_HAND, spec, _RELEASE, says, f"write release: {release} under spec by hand")


def _settle(editor: Editor, case: Case, release: str) -> None:
    """Edit one setting. Raises _ByHand and CannotEdit."""
    move = case.move
    if not move.is_safe:
        raise _ByHand(f"{case.name}: {move.says}", move.fix)
    if move.remove:
        editor.remove(case.route)
        return
    value = _value(editor, case, release)
    if not move.to:
        editor.put(case.route, value)
        return
    also = {(*case.root, *path.split(".")): wanted for path, wanted in move.also.items()}
    wanted = {case.target: editor.get(case.route) if value is UNSET else value, **also}
    for route, new in wanted.items():
        _refuse_other(editor, case, route, new)
    if case.is_variable:
        _refuse_overridden(editor, case, wanted)
    if editor.has(case.target):
        editor.remove(case.route)
    else:
        editor.move(case.route, case.target, value)
    for route, new in also.items():
        if not editor.has(route):
            editor.put(route, new, before=case.target)


def _value(editor: Editor, case: Case, release: str) -> Any:
    """The value at the new place; UNSET where it stays as it is written."""
    if case.move.value is not UNSET or not case.is_variable:
        return case.move.value
    text = editor.get(case.route)
    kind = type_of(release, case.move.to)
    if kind in ("bool", "switch"):
        return text == "1"  # so did vLLM read the variables that are settings of these kinds now
    try:
        return int(text) if kind == "int" else text
    except ValueError:
        raise _ByHand(
            f"{case.name} is not a whole number", f"set {case.move.to} under args to one, and remove it"
        ) from None


def _refuse_other(editor: Editor, case: Case, route: Route, wanted: Any) -> None:
    """A place where another value stands is not ours to decide about."""
    if editor.has(route) and editor.get(route) != wanted:
        where, there = ".".join(map(str, route)), scalar(editor.get(route))
        says = f"{case.name} becomes {where}: {scalar(wanted)}, and {where} is {there} already"
        raise _ByHand(says, "keep one of them, and remove the other")


def _refuse_overridden(editor: Editor, case: Case, wanted: dict[Route, Any]) -> None:
    """A variable of every role and one of a role hold side by side. Flags do not: a role's own flag takes the place of
    the flag of every role, the whole of its JSON included."""
    section = str(case.route[1])
    for route, value in wanted.items():
        flag, is_key = str(route[3]), len(route) > _FLAG_DEPTH
        for other in ROLES if section == "engine" else ("engine",):
            there = editor.get(("spec", other, "args", flag))
            if there is None or (not is_key and there == value):
                continue
            if section == "engine":
                is_lost, does = is_key or not editor.has(("spec", other, *case.route[2:])), "not"
            else:
                is_lost, does = is_key and not editor.has((*case.root, flag)), "replace"
            if is_lost:
                says = f"{case.name} holds beside spec.{other}.args.{flag}, which the flag that it becomes would {does}"
                raise _ByHand(says, f"write one {flag} for each role, and remove {case.name}")


def in_words(case: Case) -> str:
    """What to do about a setting, as one would tell a person."""
    move = case.move
    if not move.is_safe:
        return move.fix
    if move.remove:
        return "remove it"
    if not move.to:
        return f"write {scalar(move.value)}"
    places = (".".join(map(str, (*case.root, path))) for path in (move.to, *move.also))
    return f"{' and '.join(f'set {place}' for place in places)}, remove it"
