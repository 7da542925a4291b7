"""A deployment as facts that can be compared one by one, wherever they were written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct, structs

from llmdgen.diff.yaml import compact
from llmdgen.spec.fields import ROLES

T = TypeVar("T")
Scalar = str | int | float | bool | None
Value = Scalar | tuple[Scalar, ...]

# What a fact is about, in the order in which people ask.
_OF_THE_WAY_IN = ("sidecar", "scheduler", "pool", "gateway", "route")
SUBJECTS = ("deployment", "model", *ROLES, *_OF_THE_WAY_IN, "charts", "file", "capacity")

# What kind of fact it is, in order; rules hang on these words.
_OF_THE_WHOLE = ("release", "paths", "warning", "suppressed", "name", "namespace", "workload", "immutable", "label")
_OF_A_ROLE = ("model", "presence", "placement", "replicas", "parallelism", "image", "connectors", "connector", "flag")
_OF_ITS_PODS = ("script", "env", "resource", "device", "cache", "probe", "port", "volume")
_OF_THE_ROUTER = ("plugin", "weight", "parameter", "provider", "service", "annotation")
_OTHERS = ("chart", "nodes", "room", "total", "pod", "object", "value")
TOPICS = (*_OF_THE_WHOLE, *_OF_A_ROLE, *_OF_ITS_PODS, *_OF_THE_ROUTER, *_OTHERS)


class Key(Struct, frozen=True):
    """What a fact says something about: `decode`, `flag`, `--max-model-len`."""

    subject: str
    topic: str
    name: str

    @property
    def order(self) -> tuple[int, int, str]:
        return SUBJECTS.index(self.subject), TOPICS.index(self.topic), self.name


# What becomes of requests while no scheduler is ready; the chart writes it into the InferencePool.
FAILURE_MODE = Key("pool", "parameter", "failureMode")
NAMESPACE = Key("deployment", "namespace", "namespace")


class Facts(dict[Key, Value]):
    """Facts as a reader finds them; what is null is left out. `things` are what several facts are parts of, by the
    facts: a plugin, a container, an object."""

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[Key, str] = {}

    def say(self, subject: str, topic: str, name: str, value: Any, thing: str = "") -> None:
        """One fact: a scalar as it is, a list of scalars as a tuple, anything else as text."""
        if value is None:
            return
        if isinstance(value, list | tuple) and not any(isinstance(item, dict | list | tuple) for item in value):
            value = tuple(value)
        elif not isinstance(value, str | int | float | bool):
            value = compact(value)
        self._put(Key(subject, topic, name), value, thing)

    def under(self, subject: str, topic: str, label: str, tree: Any, thing: str = "") -> None:
        """Every leaf of a tree by its path behind a label; nothing of an empty tree."""
        for path, value in leaves(tree):
            if path:
                self.say(subject, topic, f"{label} {path}".strip(), value, thing)

    def add(self, other: Facts) -> None:
        """All facts of another reader."""
        for key, value in other.items():
            self._put(key, value, other.things.get(key, ""))

    def _put(self, key: Key, value: Value, thing: str) -> None:
        """No fact takes the place of another: what has the same name and says something else is a second one."""
        first, number = key, 2
        while not same(self.get(key, value), value):
            key, number = Key(first.subject, first.topic, f"{first.name} ({number})"), number + 1
        self[key] = value
        if thing:
            self.things[key] = thing


class Part(Struct, frozen=True):
    """Something that the cluster keeps as it is written: an object, a pod template, the scheduler's configuration.
    What differs in none of its `facts` still differs in `doc`, and `key` is what a fact that quotes that begins with.
    """

    key: Key
    doc: Any
    facts: Facts

    @property
    def text(self) -> str:
        """The whole of it in one spelling: order of keys, comments and quotes gone, order of lists kept."""
        return compact(self.doc)


class State(Struct, frozen=True):
    """One target of one side: what it is called, its facts, and the parts that they are from."""

    name: str
    target: str
    facts: Facts
    parts: dict[Key, Part]

    @property
    def namespace(self) -> str:
        return str(self.facts[NAMESPACE])

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

    def template(self, role: str) -> Part:
        """The pod template of a role that the deployment has."""
        return self.parts[Key(role, "pod", "")]


def same(old: Value, new: Value) -> bool:
    """Equal, and not only to Python, to which 1 is True; 1 and 1.0 are one number."""
    if isinstance(old, bool) != isinstance(new, bool):
        return False
    if isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(map(same, old, new))
    return old == new


def renamed(value: T, rename: Callable[[str], str]) -> T:
    """A value, tuple or struct with every text in it under another name."""
    made: Any = value
    if type(value) is str:  # no member of an enumeration
        made = rename(made)
    elif isinstance(value, tuple):
        made = tuple(renamed(each, rename) for each in value)
    elif isinstance(value, Struct):
        made = type(value)(*(renamed(each, rename) for each in structs.astuple(value)))
    return made  # type: ignore[no-any-return]


def leaves(value: Any, path: str = "", is_exact: bool = False) -> list[tuple[str, Value]]:
    """Every scalar of a tree by its path. Items of a list go by their name, key or type where they all have one of
    their own, otherwise by their number, as a single one does and, where it `is_exact`, all do; a list of scalars is
    one value, and so are {} and []."""
    if isinstance(value, dict) and value:
        inner = {f"{path}.{key}" if path else str(key): item for key, item in value.items()}
    elif isinstance(value, list) and value and (is_exact or any(isinstance(item, dict | list) for item in value)):
        items = _numbered(value) if is_exact or len(value) == 1 else named(value)
        inner = {f"{path}[{name}]": item for name, item in items.items()}
    elif isinstance(value, list):
        return [(path, tuple(value))]
    else:
        return [(path, "{}" if value == {} else value)]
    return [leaf for where, item in inner.items() for leaf in leaves(item, where, is_exact)]


def _numbered(items: list[Any]) -> dict[str, Any]:
    return {str(index): item for index, item in enumerate(items)}


def named(items: list[Any]) -> dict[str, Any]:
    """The items of a list by what tells them apart. The order of named items is noise."""
    for identity in ("name", "key", "type", "pluginRef", "kind"):
        names = [item.get(identity) if isinstance(item, dict) else None for item in items]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return {
                str(name): {key: value for key, value in item.items() if key != identity} or {identity: name}
                for name, item in zip(names, items, strict=True)
            }
    return _numbered(items)


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


def tier_name(tier: str) -> str:
    """What a cache tier's size is called: storage is one for all pods, the others are each pod's own."""
    return f"{tier} cache, of all pods together" if tier == "storage" else f"{tier} cache of a pod"
