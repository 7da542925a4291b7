"""Two states of one target become changes."""

from __future__ import annotations

from msgspec import Struct

from llmdgen.diff.state import ROLES, Key, State, Value


class Change(Struct, frozen=True):
    """One fact that differs; None is a side that does not state it."""

    key: Key
    old: Value
    new: Value

    @property
    def delta(self) -> int | float | None:
        """How much a number grew, None for anything else."""
        if isinstance(self.old, bool) or isinstance(self.new, bool):
            return None
        if isinstance(self.old, int | float) and isinstance(self.new, int | float):
            return self.new - self.old
        return None


def changes(old: State, new: State) -> tuple[Change, ...]:
    """What differs, in the order of the keys. A role that only one side has is one change."""
    lone = {role for role in ROLES if _has(old, role) != _has(new, role)}
    found = [Change(Key(role, "presence", ""), _shape(old, role), _shape(new, role)) for role in lone]
    for key in {**old.facts, **new.facts}:
        if key.subject in lone or key.topic == "room":
            continue
        before, after = old.facts.get(key), new.facts.get(key)
        if not _same(before, after):
            found.append(Change(key, before, after))
    return tuple(sorted(found, key=lambda change: change.key.order))


def _has(state: State, role: str) -> bool:
    return Key(role, "replicas", "replicas") in state.facts


def _shape(state: State, role: str) -> str | None:
    """A role in a few words, None where the state has none."""
    if not _has(state, role):
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


def _same(old: Value, new: Value) -> bool:
    """Equal, and not only to Python, to which 1 is True; 1 and 1.0 are one number."""
    if isinstance(old, bool) != isinstance(new, bool):
        return False
    if isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(map(_same, old, new))
    return old == new
