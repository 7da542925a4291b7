"""YAML of rendered files and of what helm prints, read as Kubernetes reads it: with YAML 1.1's booleans (`yes`, `off`),
with 1e3 as a number, with dates and times as text. A key that stands twice is an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml import MappingNode, MarkedYAMLError, ScalarNode, YAMLError
from yaml.constructor import ConstructorError

if TYPE_CHECKING:
    from yaml import SafeLoader as Loader
else:
    Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

__all__ = ["MarkedYAMLError", "YAMLError", "load", "load_all", "reason"]

MOST_VALUES, DEEPEST = 200_000, 60  # of one document
_MERGE = "tag:yaml.org,2002:merge"


class _Reader(Loader):
    """A safe loader with the rules above."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, MappingNode):
            seen = set()
            for key, _ in node.value:
                name = (key.tag, key.value) if isinstance(key, ScalarNode) and key.tag != _MERGE else None
                if name in seen:
                    raise ConstructorError(None, None, f"duplicate key {key.value}", key.start_mark)
                if name is not None:
                    seen.add(name)
        return super().construct_mapping(node, deep)


def _text(reader: Loader, node: ScalarNode) -> str:
    return str(reader.construct_scalar(node))


def _integer(reader: Loader, node: ScalarNode) -> int | str:
    """A whole number; base 60, which Kubernetes does not know, is text."""
    return _text(reader, node) if ":" in node.value else reader.construct_yaml_int(node)


def _number(reader: Loader, node: ScalarNode) -> float | str:
    written = _text(reader, node)
    try:
        return float(written.replace("_", ""))
    except ValueError:  # .inf, .nan and base 60, none of which a manifest can hold as a number
        return written


_Reader.add_constructor("tag:yaml.org,2002:int", _integer)
_Reader.add_constructor("tag:yaml.org,2002:float", _number)
_Reader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Reader.add_constructor("tag:yaml.org,2002:value", _text)
_Reader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def load(text: str) -> Any:
    """The one document of a text. Raises YAMLError, for a duplicate key and for a document out of bounds too."""
    return _bounded(yaml.load(text, _Reader))


def load_all(text: str) -> list[Any]:
    """Every document of a text, None for an empty one. Raises YAMLError as `load` does."""
    return [_bounded(each) for each in yaml.load_all(text, _Reader)]


def _bounded(document: Any) -> Any:
    """A document that is no deeper and no larger than what a person or Helm writes, aliases counted as often as they
    are used: one may refer to itself, or multiply what it holds."""
    left, waiting = MOST_VALUES, [(document, DEEPEST)]
    while waiting:
        value, depth = waiting.pop()
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        left -= len(inside)
        if left < 0 or not depth:
            raise YAMLError("it is nested too deeply or too large, aliases included")
        waiting += [(each, depth - 1) for each in inside if isinstance(each, dict | list)]
    return document


def reason(error: YAMLError) -> str:
    """What is wrong with a text, on one line, and in which of its lines where that is known."""
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        says = " ".join((error.problem or error.context or "it cannot be read").split())
        return f"line {mark.line + 1}, column {mark.column + 1}: {says}" if mark else says
    return " ".join(str(error).split())
