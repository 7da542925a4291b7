"""Every target of both sides, and what is alike folded: over roles first, then over targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import Struct, structs

from llmdgen.diff.containers import REFERENCE
from llmdgen.diff.reading import Files, state
from llmdgen.diff.rules import consequences
from llmdgen.diff.state import State, renamed
from llmdgen.diff.step import WEIGHTS, Change, Consequence, Step, changes, described
from llmdgen.secrets import mask, mask_value
from llmdgen.spec.fields import ROLES

T = TypeVar("T")
TargetName = tuple[str, str]
Side = dict[TargetName, Files]


class Section(Struct, frozen=True):
    """What changes alike on these targets of a deployment."""

    name: str
    targets: tuple[str, ...]
    lines: tuple[Change, ...]
    consequences: tuple[Consequence, ...]


class Lone(Struct, frozen=True):
    """A target that only one side has, and what it is in a few words."""

    name: str
    target: str
    is_added: bool
    what: str = ""


class Size(Struct, frozen=True):
    """Nodes, GPUs, EFA interfaces and model server pods of one target."""

    nodes: int = 0
    gpus: int = 0
    efa: int = 0
    pods: int = 0


class Growth(Struct, frozen=True):
    """The size of targets that differ, before and after; a target that one side has not is of size 0 there."""

    name: str
    targets: tuple[str, ...]
    before: Size
    after: Size


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
    lines: dict[TargetName, list[Change]] = {}
    follows: dict[TargetName, list[Consequence]] = {}
    lone: list[Lone] = []
    sizes: dict[tuple[str, Size, Size], list[str]] = {}

    def grows(key: TargetName, before: Size, after: Size) -> None:
        sizes.setdefault((key[0], before, after), []).append(key[1])

    for before, after in pairs:
        if dict(old[before]) == dict(new[after]):
            continue
        has_manifests = not (old[before].is_in_memory or new[after].is_in_memory)
        step_old, step_new = state(*before, old[before], has_manifests), state(*after, new[after], has_manifests)
        if changed := changes(step_old, step_new):
            grows(after, _size(step_old), _size(step_new))
            lines[after] = _fold_roles(map(_masked, changed))
            follows[after] = _fold_consequences(consequences(Step(step_old, step_new, changed)))
    removed = [(key, False, old[key]) for key in old.keys() - {before for before, _ in pairs}]
    added = [(key, True, new[key]) for key in new.keys() - {after for _, after in pairs}]
    for key, is_added, files in sorted([*removed, *added], key=lambda each: each[:2]):
        own = state(*key, files)
        lone.append(Lone(*key, is_added, mask(described(own))))
        grows(key, Size() if is_added else _size(own), _size(own) if is_added else Size())
    growths = tuple(Growth(name, tuple(targets), *both) for (name, *both), targets in sizes.items())
    return Difference(tuple(lone), _sections(lines, follows), len(pairs), growths)


def _size(state: State) -> Size:
    """What allocation.yaml of a target adds up to."""
    nodes = sum(value for key, value in state.facts.items() if key.topic == "nodes" and isinstance(value, int))
    gpus, efa, pods = (int(state.number("capacity", "total", name)) for name in ("GPUs", "EFA interfaces", "pods"))
    return Size(nodes, gpus, efa, pods)


def _pairs(old: Side, new: Side) -> list[tuple[TargetName, TargetName]]:
    is_one = all(len({name for name, _ in side}) == 1 for side in (old, new))  # then it may have another name
    pairs: dict[TargetName, TargetName] = {}

    def owner(key: TargetName) -> str:
        return "" if is_one else key[0]

    # A target is called <prefill type>_<decode type> where they differ; decode's hardware says more.
    ways: tuple[Callable[[TargetName], object], ...] = (
        owner,
        lambda key: (owner(key), key[1]),
        lambda key: (owner(key), key[1].split("_")[-1]),
        lambda key: (owner(key), key[1].split("_")[0]),
    )
    for known_by in ways:
        # Those that are left and that one of each side is known by the same.
        left = [key for key in old if key not in pairs], [key for key in new if key not in pairs.values()]
        for before in left[0]:
            mine, theirs = ([key for key in side if known_by(key) == known_by(before)] for side in left)
            if len(mine) == len(theirs) == 1:
                pairs[before] = theirs[0]
    return sorted(pairs.items(), key=lambda each: each[1])


def _masked(each: Change) -> Change:
    """A change as it may be shown: a token, or what its name says is one, is as long as it was and says nothing else.
    It is masked last, so that two tokens of one length still differ."""
    key = each.name.rpartition(" ")[2]

    def shown(text: str) -> str:
        return mask(text) if text.startswith(REFERENCE) else mask_value(key, text)

    return structs.replace(each, name=mask(each.name), old=renamed(each.old, shown), new=renamed(each.new, shown))


def _fold_roles(changed: Iterable[Change]) -> list[Change]:
    """Changes of both roles that are alike stand once, where the first of them stood."""
    alike: dict[object, Change] = {}
    for each in changed:
        subject = "role" if each.subject in ROLES else each.subject
        key = (subject, each.topic, each.name, repr((each.old, each.new)))
        first = alike.get(key)
        alike[key] = each if first is None else structs.replace(first, subjects=(*first.subjects, each.subject))
    return list(alike.values())


def _fold_consequences(found: Iterable[Consequence]) -> list[Consequence]:
    roles: dict[tuple[str, str], Consequence] = {}
    for each in found:
        first = roles.setdefault((each.weight, each.says), each)
        together = tuple(dict.fromkeys((*first.roles, *each.roles)))
        roles[each.weight, each.says] = structs.replace(each, says=mask(each.says), roles=together)
    return list(roles.values())


def _sections(
    lines: dict[TargetName, list[Change]], follows: dict[TargetName, list[Consequence]]
) -> tuple[Section, ...]:
    """What changes by the targets that share it; the most shared first."""
    changed, after = _shared(lines), _shared(follows)
    keys = sorted(changed.keys() | after.keys(), key=lambda key: (key[0], -len(key[1]), key[1]))
    return tuple(
        Section(
            *key,
            tuple(sorted(changed.get(key, ()), key=lambda line: line.order)),
            tuple(each.on(key[1]) for each in sorted(after.get(key, ()), key=lambda each: WEIGHTS.index(each.weight))),
        )
        for key in keys
    )


def _shared(found: dict[TargetName, list[T]]) -> dict[tuple[str, tuple[str, ...]], list[T]]:
    """What is found, by deployment and by the targets of it that have it. Told apart as text: 1 is not True."""
    having: dict[tuple[str, str], tuple[T, list[str]]] = {}
    for (name, target), items in found.items():
        for item in items:
            having.setdefault((name, repr(item)), (item, []))[1].append(target)
    shared: dict[tuple[str, tuple[str, ...]], list[T]] = {}
    for (name, _), (item, targets) in having.items():
        shared.setdefault((name, tuple(targets)), []).append(item)
    return shared
