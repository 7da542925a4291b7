"""What an upgraded file does: to the deployment, by the plans before and after, and to whoever reads its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from llmdgen.api import draft, targets
from llmdgen.diff.fold import Difference, difference
from llmdgen.diff.problem import DiffError
from llmdgen.diff.sources import plans_side
from llmdgen.findings import Located, Place, SpecError
from llmdgen.planning.model import Plan
from llmdgen.spec.load import parse
from llmdgen.spec.model import Spec
from llmdgen.upgrade.notes import changed_defaults
from llmdgen.upgrade.replacement import Way, way
from llmdgen.upgrade.rules import BY_HAND
from llmdgen.upgrade.run import Upgraded
from llmdgen.upgrade.show import carried


class Checked(Protocol):
    """Plans of a spec, and what every check says of them."""

    @property
    def plans(self) -> tuple[Plan, ...]: ...

    @property
    def findings(self) -> tuple[Located, ...]: ...


Check = Callable[[Spec, Iterable[str]], Checked]


class Effect(Struct, frozen=True, kw_only=True):
    """What changes in the deployment, None where that cannot be said, and every finding, at the lines of the old text
    or of the new one. `sources` leads from a place in the new text to the one where its value stood in the old; `ways`
    are those of deployments that are replaced."""

    upgraded: Upgraded
    difference: Difference | None = None
    ways: tuple[Way, ...] = ()
    at_old: tuple[Located, ...] = ()
    at_new: tuple[Located, ...] = ()
    sources: dict[Place, Place] = {}

    @property
    def is_wrong(self) -> bool:
        return any(each.is_error for each in (*self.at_old, *self.at_new))

    def findings(self, is_written: bool) -> tuple[Located, ...]:
        """Every finding at the lines of the file as it is, in their order."""
        path, old, new = self.upgraded.path, self.upgraded.old, self.upgraded.new
        if is_written:
            found = [*carried(self.at_old, path, old, new), *self.at_new]
        else:
            found = [*self.at_old, *carried(self.at_new, path, new, old, self.sources)]
        return tuple(sorted(dict.fromkeys(found), key=lambda each: (each.place, each.finding.code)))


def effect(upgraded: Upgraded, release: str, check: Check) -> Effect:
    """Plan and check the new text, and compare its plans with those of the old."""
    said = upgraded.findings
    if any(each.is_error and each.finding.code != BY_HAND.code for each in said):
        return Effect(upgraded=upgraded, at_old=said)
    try:
        specs = parse(upgraded.new, upgraded.path)
    except SpecError as error:
        return Effect(upgraded=upgraded, at_old=said, at_new=error.findings)
    before: list[Plan] = []
    after: list[Plan] = []
    found: list[Located] = []
    ways: list[Way | None] = []
    twice: set[Place] = set()
    for old, new in zip(upgraded.specs, specs, strict=True):
        checked, drafts = check(new, targets(new)), _drafts(old)
        before += drafts
        after += checked.plans
        found += checked.findings
        ways += [way(drafts, new)] if checked.plans else []
        if old.asked.release != release:
            found += [each for plan in checked.plans for each in changed_defaults(plan, old.asked.release)]
        # What is left to a person is in the new text too, and the checks find it there: it is said once.
        errors = [(each.place, (each.finding.at, each.finding.on_key)) for each in said if each.is_error]
        twice |= {new.locate(*at) for place, at in errors if place == old.locate(*at)}
    moved = upgraded.moved.items()
    return Effect(
        upgraded=upgraded,
        difference=None if upgraded.is_refused else _difference(before, after, upgraded.path),
        ways=() if upgraded.is_refused else tuple(each for each in ways if each is not None),
        at_old=said,
        at_new=tuple(each for each in dict.fromkeys(found) if each.place not in twice),
        sources={specs[index].locate(at, key): place for (index, at), place in moved for key in (True, False)},
    )


def _difference(before: list[Plan], after: list[Plan], path: str) -> Difference | None:
    """What differs on the targets that both sides have a plan for; None where a text in the values cannot be read.

    The checks find that."""
    try:
        old, new = plans_side(before, path), plans_side(after, path)
        both = old.keys() & new.keys()
        return difference(*({key: files for key, files in side.items() if key in both} for side in (old, new)))
    except DiffError:
        return None


def _drafts(spec: Spec) -> list[Plan]:
    """The plans of a spec as it was, which may be wrong; none where none is possible."""
    plans = []
    for instance_type in targets(spec):
        try:
            plans.append(draft(spec, instance_type))
        except SpecError:
            continue
    return plans
