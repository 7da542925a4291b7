"""What the types of a spec say of their fields: the text below each field, for the JSON Schema and for fixes.

The text is read from the source, since Python keeps none of it at run time. Its first paragraph describes the field
and may end in an example of its value, in YAML; below it stands a line for each word that the field takes.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from msgspec import Struct

from llmdgen.plain_yaml import load
from llmdgen.spec.fields import Base

_EXAMPLES = re.compile(r"(?P<text>.*?) (?P<number>Examples?): (?P<values>.*)")


class Description(Struct, frozen=True):
    """What stands below a field: a text, examples of its value, and what each word means that it takes."""

    text: str
    examples: tuple[Any, ...] = ()
    meanings: dict[str, str] = {}


@cache
def descriptions(part: type[Base]) -> dict[str, Description]:
    """What a part of the spec says of its fields, by their names in Python."""
    return {name: _described(inspect.cleandoc(text)) for name, text in _texts(part)}


def _texts(part: type[Base]) -> Iterator[tuple[str, str]]:
    (body,) = ast.parse(inspect.getsource(part)).body
    assert isinstance(body, ast.ClassDef)
    for field, below in pairwise(body.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text


def _described(written: str) -> Description:
    text, _, words = written.partition("\n\n")
    meanings = {word: meaning for word, _, meaning in (line.partition(": ") for line in words.splitlines())}
    text = " ".join(text.split())
    found = _EXAMPLES.fullmatch(text)
    if found is None:
        return Description(text, (), meanings)
    values = load(found["values"])
    return Description(found["text"], tuple(values) if found["number"] == "Examples" else (values,), meanings)
