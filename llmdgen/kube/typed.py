"""The types that a PodSpec is made of, as Kubernetes' own schemas describe them (facts/data/kubernetes/pod.json), and
what does not fit them: unknown fields, values of another type, one item twice.

A type is a word: string, integer, number, boolean, quantity, int-or-string, object, or the name of a type with fields;
[] before it makes a list of it, map[] a map with such values. Only what is there is judged: what is missing may come
from what the value is merged into.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from llmdgen.findings import Route
from llmdgen.resources import read_fact
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import mapping

POD = "PodSpec"
LIST = "[]"
MAP = "map[]"
UNKNOWN, TYPE, TWICE = "unknown", "type", "twice"

_PLAIN: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "quantity": ((str, int, float), "a quantity such as 500m or 64Gi"),
    "int-or-string": ((int, str), "a whole number or text"),
    "object": ((dict,), "a mapping"),
}


class ListMerge(Struct, frozen=True):
    """How a patch merges a list: by `key` where its items are maps; retainKeys lets an item keep only what is set."""

    strategy: str
    key: str | None = None

    @property
    def retains_keys(self) -> bool:
        return "retainKeys" in self.strategy


class Kind(Struct, frozen=True):
    """A type with fields: field -> its type, those that are required, and the lists that are merged."""

    fields: dict[str, str]
    required: tuple[str, ...] = ()
    merge: dict[str, ListMerge] = {}


class _Table(Struct, frozen=True):
    types: dict[str, Kind]


def kind_named(name: str) -> Kind | None:
    """The type of that name, None for a plain type, a list or a map."""
    return _table().types.get(name)


def item_type(kind: str) -> str:
    """The type of a list's items or of a map's values."""
    return kind.removeprefix(LIST) if kind.startswith(LIST) else kind.removeprefix(MAP)


@cache
def _table() -> _Table:
    return msgspec.json.decode(read_fact("kubernetes", "pod.json"), type=_Table)


class Misfit(Struct, frozen=True):
    """One thing that does not fit; `route` leads to it, `what` is UNKNOWN, TYPE or TWICE.

    What is said of a TYPE begins with a verb, whose subject is the route.
    """

    route: Route
    what: str
    says: str
    fix: str


def misfits(value: Any, kind: str, at: Route = ()) -> Iterator[Misfit]:
    """Everything in a value that does not fit the type. Null fits wherever it may delete a key."""
    described = kind_named(kind)
    if kind.startswith(LIST) and isinstance(value, list):
        for index, each in enumerate(value):
            if each is None:
                yield Misfit((*at, index), TYPE, "is empty", "write it, or delete the dash")
            else:
                yield from misfits(each, item_type(kind), (*at, index))
    elif kind.startswith(MAP) and isinstance(value, dict):
        for key, each in _own(value):
            yield from misfits(each, item_type(kind), (*at, key))
    elif described and isinstance(value, dict):
        yield from _fields(value, kind, described, at)
    elif value is not None and not _fits(value, kind):
        says = f"must be {_expected(kind)}, not {_shown(value)}"
        yield Misfit(at, TYPE, says, _fix(value, kind))


def _fields(value: dict[str, Any], name: str, kind: Kind, at: Route) -> Iterator[Misfit]:
    for key, each in _own(value):
        if key in kind.fields:
            yield from misfits(each, kind.fields[key], (*at, key))
            if key in kind.merge:
                yield from _twice(each, kind.merge[key], (*at, key))
        else:
            fix = _elsewhere(key, kind) or did_you_mean(key, kind.fields, listed_up_to=8) or "delete it"
            yield Misfit((*at, key), UNKNOWN, f"{name} of Kubernetes has no field {key}", fix)


def _own(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a map, without the directives of a patch."""
    return ((key, each) for key, each in value.items() if not key.startswith("$"))


def _twice(items: Any, how: ListMerge, at: Route) -> Iterator[Misfit]:
    """Items of one key, of which a merge makes one; a port may be there for two protocols."""
    seen: set[str] = set()
    for index, each in enumerate(items if isinstance(items, list) else ()):
        key = mapping(each).get(str(how.key))
        name = repr((key, each.get("protocol", "TCP") if how.key == "containerPort" else None)) if key else ""
        if name and name in seen:
            says = f"{how.key} {key} stands twice in the list, which is merged by it"
            yield Misfit((*at, index, str(how.key)), TWICE, says, "keep one item")
        seen.add(name)


def _elsewhere(key: str, kind: Kind) -> str:
    """Where a field belongs that one level further down has."""
    for field, name in kind.fields.items():
        inner = kind_named(item_type(name))
        if field in ("containers", "securityContext", "resources", "emptyDir") and inner and key in inner.fields:
            return f"write it under {field}{LIST if name.startswith(LIST) else ''}"
    return ""


def _fits(value: Any, kind: str) -> bool:
    types, _ = _PLAIN.get(kind, ((), ""))
    return isinstance(value, types) and (isinstance(value, bool) <= (bool in types))


def _expected(kind: str) -> str:
    if kind.startswith(LIST):
        return "a list"
    return _PLAIN[kind][1] if kind in _PLAIN else "a mapping"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else "text"


def _fix(value: Any, kind: str) -> str:
    if kind == "string" and not isinstance(value, list | dict):
        return f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if isinstance(value, str) and kind == "integer" and value.isdecimal():
        return f"remove the quotes: {value}"
    if isinstance(value, str) and kind == "boolean" and value.lower() in ("true", "false"):
        return f"remove the quotes: {value.lower()}"
    if kind.startswith(LIST):
        described = kind_named(item_type(kind))
        key = one_of(described.required[:1]) if described and described.required else ""
        return f"write items that begin with - {key}:" if key else "write each item on its own line after a dash"
    return f"write {_expected(kind)}" if kind in _PLAIN else "write its fields below it, indented"
