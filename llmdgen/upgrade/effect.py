"""What an upgraded file does: to the deployment, by the plans before and after, and to whoever reads its findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from llmdgen.api import judged, targets
from llmdgen.diff.fold import Difference, difference
from llmdgen.diff.sources import plans_side
from llmdgen.diff.yaml import DiffError
from llmdgen.findings import Located, Route, SpecError, in_order
from llmdgen.planning.model import Plan
from llmdgen.spec.load import parse
from llmdgen.spec.model import Spec
from llmdgen.upgrade.notes import changed_defaults
from llmdgen.upgrade.replacement import Way, way
from llmdgen.upgrade.rules import BY_HAND
from llmdgen.upgrade.run import Upgraded


class Effect(Struct, frozen=True, kw_only=True):
    """What changes in the deployment, None where that cannot be said, the `ways` to deployments that are replaced, and
    every finding twice, in the order of its lines: at those of the old text and at those of the new one."""

    difference: Difference | None = None
    ways: tuple[Way, ...] = ()
    at_old: tuple[Located, ...] = ()
    at_new: tuple[Located, ...] = ()

    @property
    def is_wrong(self) -> bool:
        return any(each.is_error for each in self.at_old)


def effect(upgraded: Upgraded, release: str) -> Effect:
    """Plan and check the new text, and compare its plans with those of the old."""
    said = upgraded.findings
    if any(each.is_error and each.finding.code != BY_HAND.code for each in said):
        return Effect(at_old=said)
    try:
        specs = parse(upgraded.new, upgraded.path)
    except SpecError as error:
        return Effect(at_old=(*said, *error.findings))
    before: list[Plan] = []
    after: list[Plan] = []
    at_old: list[Located] = []
    at_new: list[Located] = []
    ways: list[Way] = []
    for document, new in zip(upgraded.documents, specs, strict=True):
        old, checked = document.spec, judged(new, targets(new))
        plans = judged(old, targets(old)).plans  # of a spec as it was, which may be wrong
        before += plans
        after += checked.plans
        if checked.plans and not upgraded.is_refused and (found_way := way(plans, new)):
            ways.append(found_way)
        # What is left to a person is in the new text too, and the checks find it there: it is said once.
        left = {each.finding.at for each in document.findings if each.is_error}
        found = [each for each in checked.findings if each.finding.at not in left]
        if old.asked.release != release:
            found += [each for plan in checked.plans for each in changed_defaults(plan, old.asked.release)]
        at_old += [*document.findings, *_moved(found, old, document.moved)]
        at_new += [*_moved(document.findings, new, {was: now for now, was in document.moved.items()}), *found]
    return Effect(
        difference=None if upgraded.is_refused else _difference(before, after, upgraded.path),
        ways=tuple(ways),
        at_old=in_order(at_old),
        at_new=in_order(at_new),
    )


def _moved(findings: Iterable[Located], spec: Spec, moved: dict[Route, Route]) -> Iterator[Located]:
    """Findings at the places of another text of the spec, in which some values stand elsewhere."""
    for finding in (each.finding for each in findings):
        at = finding.at
        begins = next((at[:depth] for depth in range(len(at), 0, -1) if at[:depth] in moved), ())
        yield Located(finding, spec.locate((*moved.get(begins, ()), *at[len(begins) :]), finding.on_key))


def _difference(before: list[Plan], after: list[Plan], path: str) -> Difference | None:
    """What differs on the targets that both sides have a plan for; None where a text in the values cannot be read.

    The checks find that."""
    try:
        old, new = plans_side(before, path), plans_side(after, path)
        both = old.keys() & new.keys()
        return difference(*({key: files for key, files in side.items() if key in both} for side in (old, new)))
    except DiffError:
        return None
