"""Every target of both sides, and what is alike folded: over roles first, then over targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from llmdgen.diff.compare import Change, changes, described
from llmdgen.diff.reading import Files, state
from llmdgen.diff.rules import WEIGHTS, Consequence, Step, consequences
from llmdgen.diff.size import Growth, Size, grouped, size
from llmdgen.diff.state import Key, Value

TargetName = tuple[str, str]
Side = dict[TargetName, Files]


class Line(Struct, frozen=True):
    """A change, and the subjects that it holds for: prefill and decode often change alike."""

    subjects: tuple[str, ...]
    topic: str
    name: str
    old: Value
    new: Value

    @property
    def delta(self) -> int | float | None:
        return Change(Key(self.subjects[0], self.topic, self.name), self.old, self.new).delta


class Section(Struct, frozen=True):
    """What changes alike on these targets of a deployment."""

    name: str
    targets: tuple[str, ...]
    lines: tuple[Line, ...]
    consequences: tuple[Consequence, ...]


class Lone(Struct, frozen=True):
    """A target that only one side has, and what it is in a few words."""

    name: str
    target: str
    is_added: bool
    what: str = ""


class Stale(Struct, frozen=True):
    """A directory that a spec gives other files for: its targets, the spec, why, and what mends it."""

    directory: str
    targets: tuple[str, ...]
    spec: str
    says: str
    mend: str


class Difference(Struct, frozen=True):
    """Everything that differs between two sides, how many targets both have, the size of those that differ, and which
    directories of a side are not what their specs give: there it is unknown what differs."""

    lone: tuple[Lone, ...]
    sections: tuple[Section, ...]
    compared: int
    sizes: tuple[Growth, ...] = ()
    stale: tuple[Stale, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.lone and not self.sections and not self.stale


def difference(old: Side, new: Side) -> Difference:
    """What changed from one side to the other. Raises DiffError where a file of a pair cannot be read.

    Targets belong together by deployment and name; where each side has one deployment, by name alone; where a
    deployment, or a whole side, has one target before and after, whatever they are called; else where one target before
    and one after have the same hardware for decode, or for prefill.
    """
    pairs = _pairs(old, new)
    found: dict[TargetName, tuple[list[Line], list[Consequence]]] = {}
    sizes: list[tuple[str, str, Size, Size]] = []
    for before, after in pairs:
        if dict(old[before]) == dict(new[after]):
            continue
        step_old, step_new = state(*before, old[before]), state(*after, new[after])
        changed = changes(step_old, step_new)
        if changed:
            step = Step(step_old, step_new, changed)
            sizes.append((*after, size(step_old), size(step_new)))
            found[after] = (_fold_roles(changed), _fold_consequences(consequences(step)))
    paired_old, paired_new = {before for before, _ in pairs}, {after for _, after in pairs}
    alone = [(key, False, old[key]) for key in old if key not in paired_old]
    alone += [(key, True, new[key]) for key in new if key not in paired_new]
    lone = []
    for key, is_added, files in sorted(alone, key=lambda each: each[:2]):
        own = state(*key, files)
        lone.append(Lone(*key, is_added, described(own)))
        sizes.append((*key, Size(), size(own)) if is_added else (*key, size(own), Size()))
    return Difference(tuple(lone), _sections(found), len(pairs), grouped(sizes))


def _pairs(old: Side, new: Side) -> list[tuple[TargetName, TargetName]]:
    is_one = all(len({name for name, _ in side}) == 1 for side in (old, new))  # then it may have another name
    pairs: dict[TargetName, TargetName] = {}

    def pair(known_by: Callable[[TargetName], tuple[str, ...]]) -> None:
        """Pair those that are left and that one of each side is known by the same."""
        left = [key for key in old if key not in pairs], [key for key in new if key not in pairs.values()]
        for before in left[0]:
            alike = [[key for key in side if known_by(key) == known_by(before)] for side in left]
            if [len(each) for each in alike] == [1, 1]:
                pairs[before] = alike[1][0]

    def owner(key: TargetName) -> str:
        return "" if is_one else key[0]

    pair(lambda key: (owner(key), key[1]))
    for name in {owner(key) for key in old}:
        sides = [[key for key in side if owner(key) == name] for side in (old, new)]
        if [len(each) for each in sides] == [1, 1]:
            pairs[sides[0][0]] = sides[1][0]
    # A target is called <prefill type>_<decode type> where they differ; decode's hardware says more.
    pair(lambda key: (owner(key), key[1].split("_")[-1]))
    pair(lambda key: (owner(key), key[1].split("_")[0]))
    return sorted(pairs.items(), key=lambda each: each[1])


def _fold_roles(changed: Iterable[Change]) -> list[Line]:
    """Changes of several subjects that are alike stand once, where the first of them stood."""
    alike: dict[tuple[str, str, str, str], tuple[list[str], Change]] = {}
    for each in changed:
        role = each.key.subject if each.key.subject not in ("prefill", "decode") else "role"
        slot = alike.setdefault((role, each.key.topic, each.key.name, repr((each.old, each.new))), ([], each))
        slot[0].append(each.key.subject)
    return [
        Line(tuple(subjects), first.key.topic, first.key.name, first.old, first.new)
        for subjects, first in alike.values()
    ]


def _fold_consequences(found: Iterable[Consequence]) -> list[Consequence]:
    roles: dict[tuple[str, str], list[str]] = {}
    for each in found:
        roles.setdefault((each.weight, each.says), []).extend(each.roles)
    return [
        Consequence(weight, says, tuple(dict.fromkeys(of)))
        for weight in WEIGHTS
        for (heavy, says), of in roles.items()
        if heavy == weight
    ]


def _sections(found: dict[TargetName, tuple[list[Line], list[Consequence]]]) -> tuple[Section, ...]:
    """Lines by the targets that share them; the most shared first."""
    sections: dict[tuple[str, tuple[str, ...]], tuple[list[Line], list[Consequence]]] = {}
    for name in dict.fromkeys(name for name, _ in found):
        of = {target: each for (owner, target), each in found.items() if owner == name}
        lines: dict[str, tuple[Line, list[str]]] = {}
        follows: dict[Consequence, list[str]] = {}
        for target, (changed, after) in of.items():
            for line in changed:
                lines.setdefault(repr(line), (line, []))[1].append(target)
            for each in after:
                follows.setdefault(each, []).append(target)
        for line, targets in lines.values():
            sections.setdefault((name, tuple(targets)), ([], []))[0].append(line)
        for each, targets in follows.items():
            sections.setdefault((name, tuple(targets)), ([], []))[1].append(each)
    keys = sorted(sections, key=lambda key: (key[0], -len(key[1]), key[1]))
    return tuple(
        Section(*key, tuple(_ordered(sections[key][0])), tuple(_heavy_first(sections[key][1]))) for key in keys
    )


def _ordered(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: Key(line.subjects[0], line.topic, line.name).order)


def _heavy_first(found: list[Consequence]) -> list[Consequence]:
    return sorted(found, key=lambda each: WEIGHTS.index(each.weight))
