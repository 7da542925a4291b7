"""A deployment as facts that can be compared one by one, wherever they were written down."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from llmdgen.diff.yaml import compact

Scalar = str | int | float | bool | None
Value = Scalar | tuple[Scalar, ...]

PREFILL, DECODE = "prefill", "decode"
ROLES = (PREFILL, DECODE)

# What a fact is about, in the order in which people ask.
SUBJECTS = ("deployment", "model", *ROLES, "sidecar", "scheduler", "pool", "gateway", "route", "charts", "capacity")

# What kind of fact it is, in order; rules hang on these words.
TOPICS = (
    "release",
    "paths",
    "suppressed",
    "name",
    "namespace",
    "workload",
    "immutable",
    "label",
    "model",
    "presence",
    "placement",
    "replicas",
    "parallelism",
    "image",
    "connectors",
    "connector",
    "flag",
    "script",
    "env",
    "resource",
    "device",
    "cache",
    "probe",
    "port",
    "volume",
    "plugin",
    "weight",
    "parameter",
    "provider",
    "service",
    "annotation",
    "chart",
    "nodes",
    "room",
    "total",
    "pod",
    "object",
    "value",
)


class Key(Struct, frozen=True):
    """What a fact says something about: `decode`, `flag`, `--max-model-len`."""

    subject: str
    topic: str
    name: str

    @property
    def order(self) -> tuple[int, int, str]:
        return SUBJECTS.index(self.subject), TOPICS.index(self.topic), self.name


Facts = dict[Key, Value]


class Part(Struct, frozen=True):
    """Something that the cluster keeps as it is written: an object, a pod template, the scheduler's configuration.

    `doc` is all of it and `keys` are the facts that were read from it: what differs in no fact still differs in `doc`.
    `subject`, `topic` and `name` are those of a fact that quotes it.
    """

    subject: str
    topic: str
    name: str
    doc: Any
    keys: frozenset[Key]

    @property
    def text(self) -> str:
        """The whole of it in one spelling: order of keys, comments and quotes gone, order of lists kept."""
        return compact(self.doc)


class Read(Struct, frozen=True):
    """What a reader found in some of the files: facts, and the parts that they are from, by what tells parts apart."""

    facts: Facts
    parts: dict[str, Part] = {}


class State(Struct, frozen=True):
    """One target of one side: what it is called, its namespace, all its facts, and the parts that they are from."""

    name: str
    target: str
    facts: Facts
    parts: dict[str, Part] = {}

    @property
    def namespace(self) -> str:
        return self.text("deployment", "namespace", "namespace")

    def has(self, role: str) -> bool:
        """Whether the deployment has model servers of a role."""
        return Key(role, "workload", "kind") in self.facts

    def get(self, subject: str, topic: str, name: str) -> Value:
        """That fact, None where the side does not say it."""
        return self.facts.get(Key(subject, topic, name))

    def number(self, subject: str, topic: str, name: str) -> float:
        """That fact where it is a number, otherwise 0."""
        value = self.get(subject, topic, name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else 0

    def text(self, subject: str, topic: str, name: str) -> str:
        """That fact as text, "" where the side does not say it."""
        value = self.get(subject, topic, name)
        return "" if value is None else str(value)


def leaves(value: Any, path: str = "") -> list[tuple[str, Value]]:
    """Every scalar of a tree by its path. Items of a list go by their name, key or type where they all have one of
    their own, otherwise by their number, as a single one does; a list of scalars is one value, and so are {} and []."""
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list) and value and any(isinstance(item, dict | list) for item in value):
        items = named(value) if len(value) > 1 else {"0": value[0]}
        return [leaf for name, item in items.items() for leaf in leaves(item, f"{path}[{name}]")]
    if isinstance(value, list):
        return [(path, tuple(value))]
    return [(path, "{}" if value == {} else value)]


def named(items: list[Any]) -> dict[str, Any]:
    """The items of a list by what tells them apart. The order of named items is noise."""
    for identity in ("name", "key", "type", "pluginRef", "kind"):
        names = [item.get(identity) if isinstance(item, dict) else None for item in items]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return {
                str(name): {key: value for key, value in item.items() if key != identity} or {identity: name}
                for name, item in zip(names, items, strict=True)
            }
    return {str(index): item for index, item in enumerate(items)}


def template_of(role: str) -> str:
    """What the pod template of a role is called among the parts."""
    return f"{role} pods"


def exact(value: Any, path: str = "") -> list[tuple[str, Value]]:
    """Every scalar of a tree by its path, items of a list by their number."""
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in exact(item, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list) and value:
        return [leaf for index, item in enumerate(value) for leaf in exact(item, f"{path}[{index}]")]
    return [(path, compact(value) if isinstance(value, dict | list) else value)]


def under(subject: str, topic: str, label: str, tree: Any) -> Facts:
    """Every leaf of a tree as a fact of its path behind a label; nothing of an empty tree."""
    return {Key(subject, topic, f"{label} {path}".strip()): value for path, value in leaves(tree) if path}


def taken(tree: dict[str, Any], *route: str) -> Any:
    """Take the value at a route out of a tree, None where there is none, and with it the mappings that are empty then.
    What nobody takes remains to be reported."""
    if len(route) == 1:
        return tree.pop(route[0], None)
    inner = tree.get(route[0])
    if not isinstance(inner, dict) or not inner:
        return None
    value = taken(inner, *route[1:])
    if not inner:
        del tree[route[0]]
    return value


def fact(value: Any) -> Value:
    """A value as one fact: a scalar as it is, a list of scalars as a tuple, anything else as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple) and not any(isinstance(item, dict | list | tuple) for item in value):
        return tuple(value)
    return compact(value)
