"""A step from one state of a deployment to another: what differs, and what is said to follow of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct, structs

from llmdgen.diff.state import NAMESPACE, Facts, Key, Part, State, Value, leaves, renamed, same, tier_name
from llmdgen.spec.fields import ROLES

Weight = Literal["breaks", "exposes", "interrupts", "costs", "note"]
WEIGHTS: tuple[Weight, ...] = ("breaks", "exposes", "interrupts", "costs", "note")

# What of the scheduler is in a ConfigMap, and not in its pod.
SCHEDULER_CONFIG_TOPICS = ("plugin", "weight", "parameter")
SHARED_CACHE = tier_name("storage")  # the other tiers are each pod's own, and go with it
CLAIM = "persistentVolumeClaim.claimName"  # the end of the name of a volume's fact
OWN_NODES = "{own} nodes"  # of the target's own type; where several targets need as many more, they are said once
INSTANCE_LABEL = "node selector node.kubernetes.io/instance-type"


class Change(Struct, frozen=True):
    """One fact that differs, of all `subjects` that change alike; None is a side that does not state it. `thing` is
    what it is a part of, such as a plugin, "" for nothing."""

    subjects: tuple[str, ...]
    topic: str
    name: str
    old: Value
    new: Value
    thing: str = ""

    @property
    def subject(self) -> str:
        return self.subjects[0]

    @property
    def order(self) -> tuple[int, int, str]:
        return Key(self.subject, self.topic, self.name).order

    @property
    def sign(self) -> str:
        """+ for what is new, - for what is gone, ~ for what is another."""
        return "+" if self.old is None else "-" if self.new is None else "~"

    @property
    def value(self) -> Value:
        """What is new, or what is gone."""
        return self.old if self.new is None else self.new

    @property
    def delta(self) -> int | float | None:
        """How much a number grew, None for anything else."""
        if isinstance(self.old, bool) or isinstance(self.new, bool):
            return None
        if isinstance(self.old, int | float) and isinstance(self.new, int | float):
            return self.new - self.old
        return None


class Consequence(Struct, frozen=True):
    """What follows of changes. `roles` are those it holds for; `{roles}` in `says` becomes their names, and `{own}` the
    instance type of the target."""

    weight: Weight
    says: str
    roles: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.says.replace("{roles}", " and ".join(self.roles))

    def on(self, targets: tuple[str, ...]) -> Consequence:
        """The same for these targets."""
        if len(targets) == 1:
            return structs.replace(self, says=self.says.replace("{own}", targets[0]))
        return structs.replace(self, says=re.sub(r"{own} (nodes?)", r"\1 of its own type", self.says))


def unquoted(text: str) -> str:
    return text.replace("`", "'")


class Step(Struct, frozen=True):
    """From one state to another by these changes."""

    old: State
    new: State
    changes: tuple[Change, ...]

    @property
    def states(self) -> tuple[State, State]:
        return self.old, self.new

    def without_backticks(self) -> Step:
        """The same for sentences, in which what stands between backticks is a command: no value begins or ends one."""

        def plain(state: State) -> State:
            facts = Facts()
            facts.update({key: renamed(value, unquoted) for key, value in state.facts.items()})
            return structs.replace(state, facts=facts)

        return Step(plain(self.old), plain(self.new), renamed(self.changes, unquoted))

    def changed(self, subject: str, *topics: str) -> list[Change]:
        """The changes of that subject in those topics."""
        return [each for each in self.changes if each.subject == subject and each.topic in topics]

    def change(self, subject: str, topic: str, name: str) -> Change | None:
        """The change of that fact, None where there is none."""
        return next((each for each in self.changed(subject, topic) if each.name == name), None)

    @property
    def is_new(self) -> bool:
        """Whether other releases or another namespace make it a deployment of its own."""
        return bool(self.changed("deployment", "name", "namespace"))

    def serves(self, role: str) -> bool:
        """Whether both sides have the role."""
        return self.old.has(role) and self.new.has(role)

    def refused(self, role: str) -> bool:
        """Whether Kubernetes refuses the new workload of a role as an update of the old."""
        is_same = self.serves(role) and not self.is_new and not self.changed(role, "workload", "name")
        return is_same and any(" " not in each.name for each in self.changed(role, "immutable"))

    def replaces(self, role: str) -> bool:
        """Whether the role's workload is another object, beside which the old one goes."""
        return self.serves(role) and not self.is_new and bool(self.changed(role, "workload", "name"))

    def restarts(self, role: str) -> bool:
        """Whether the role's pods are replaced: any difference in the pod template does that."""
        if not self.serves(role):
            return False
        return self.old.template(role).text != self.new.template(role).text or self.replaces(role)


def changes(old: State, new: State) -> tuple[Change, ...]:
    """What differs, in order. A role that only one side has is one change, and so is another name."""
    lone = {role for role in ROLES if old.has(role) != new.has(role)}
    found = [Change((role,), "presence", "", _shape(old, role), _shape(new, role)) for role in lone]
    called = _Renaming(old, new)
    if old.name != new.name:
        found.append(Change(("deployment",), "name", "name", old.name, new.name))
    old_key = {key if key in new.facts else Key(key.subject, key.topic, called(key.name)): key for key in old.facts}
    changed: set[Key] = set()
    for key in {**old_key, **new.facts}:
        if key.subject in lone or key.topic == "room":
            continue
        own = old_key.get(key, key)
        before, after = old.facts.get(own), new.facts.get(key)
        # A namespace is a change of its own, even where it only follows the name.
        if not same(before, after) and (key == NAMESPACE or not same(renamed(before, called), after)):
            thing = new.facts.things.get(key) or called(old.facts.things.get(own, ""))
            found.append(Change((key.subject,), key.topic, key.name, before, after, thing))
            changed |= {own, key}
    for part, one in old.parts.items():
        other = new.parts.get(part, one)
        is_another = one.text != other.text and called(one.text) != other.text
        if is_another and changed.isdisjoint(one.facts) and changed.isdisjoint(other.facts):
            found += _spelling(one, other, called)
    return tuple(sorted(found, key=lambda change: change.order))


class _Renaming:
    """Texts of the old state as they would be under the name and the namespace of the new one."""

    def __init__(self, old: State, new: State) -> None:
        self._pairs = [
            (re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(before)}(?![A-Za-z0-9_]{end})"), after)
            for before, after, end in ((old.namespace, new.namespace, "|-"), (old.name, new.name, ""))
            if before and before != after
        ]

    def __call__(self, text: str) -> str:
        for before, after in self._pairs:
            text = before.sub(lambda _, after=after: after, text)  # type: ignore[misc]
        return text


def _spelling(old: Part, new: Part, called: _Renaming) -> Iterator[Change]:
    """The same facts, written otherwise: the cluster gets another object all the same, and pods start anew."""
    before, after = dict(leaves(old.doc, is_exact=True)), dict(leaves(new.doc, is_exact=True))
    for path in {**before, **after}:
        one, other = before.get(path), after.get(path)
        if not same(renamed(one, called), other):
            yield Change((new.key.subject,), new.key.topic, f"{new.key.name} {path}".strip(), one, other)


def _shape(state: State, role: str) -> str | None:
    """A role in a few words, None where the state has none."""
    if not state.has(role):
        return None
    tensor, data = (state.text(role, "parallelism", f"{kind} parallelism") or "1" for kind in ("tensor", "data"))
    ranks = f" DP{data}" if data != "1" else ""
    where = state.text(role, "placement", "instance type")
    return f"{state.text(role, 'replicas', 'replicas')} x TP{tensor}{ranks}" + (f" on {where}" if where else "")


def described(state: State) -> str:
    """A target in a few words: release, paths, model, roles and the way in."""
    paths = state.get("deployment", "paths", "well-lit paths")
    gateway = state.text("gateway", "provider", "class")
    scheme = state.text("gateway", "annotation", "load balancer scheme")
    behind = f" with an {scheme} load balancer" if scheme else ""
    parts = (
        f"llm-d {release}" if (release := state.text("deployment", "release", "llm-d release")) else "",
        " with ".join(map(str, paths)) if isinstance(paths, tuple) else "",
        state.text("model", "model", "name"),
        *(f"{role} {shape}".removesuffix(f" on {state.target}") for role in ROLES if (shape := _shape(state, role))),
        f"gateway {gateway}{behind}" if gateway else "",
    )
    return ", ".join(part for part in parts if part)
