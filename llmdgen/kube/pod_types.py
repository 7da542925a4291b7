"""The types that a PodSpec is made of, as Kubernetes' own schemas describe them (facts/data/kubernetes/pod.json).

A type is a word: string, integer, number, boolean, quantity, int-or-string, object, or the name of a type with fields;
[] before it makes a list of it, map[] a map with such values.
"""

from __future__ import annotations

from functools import cache

import msgspec
from msgspec import Struct

from llmdgen.resources import read_fact

POD = "PodSpec"
LIST = "[]"
MAP = "map[]"


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
    kubernetes: str
    types: dict[str, Kind]


def kind_named(name: str) -> Kind | None:
    """The type of that name, None for a plain type, a list or a map."""
    return _table().types.get(name)


def item_type(kind: str) -> str:
    """The type of a list's items or of a map's values."""
    return kind.removeprefix(LIST) if kind.startswith(LIST) else kind.removeprefix(MAP)


def schema_version() -> str:
    """The Kubernetes version whose schemas these are."""
    return _table().kubernetes


@cache
def _table() -> _Table:
    return msgspec.json.decode(read_fact("kubernetes", "pod.json"), type=_Table)
