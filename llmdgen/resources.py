"""Where the package's own files are: facts beside the code, templates and schemas at the top of the repository.

A wheel carries templates/ and schemas/ inside the package; a checkout has them one level up. Plain paths, because a
render has a tenth of a second, and importing pathlib takes some of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache

PACKAGE = os.path.dirname(os.path.abspath(__file__))
_NAME = re.compile("@([a-z_]+)@")
FACTS = os.path.join(PACKAGE, "facts", "data")


def fact(*parts: str) -> str:
    """The path of a file or folder of facts; without parts, of the folder of all."""
    return os.path.join(FACTS, *parts)


def read_fact(*parts: str) -> bytes:
    """The content of a file of facts. Raises FileNotFoundError."""
    with open(fact(*parts), "rb") as file:
        return file.read()


def _shared(folder: str) -> str:
    inside = os.path.join(PACKAGE, folder)
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(PACKAGE), folder)


TEMPLATES = _shared("templates")
SCHEMAS = _shared("schemas")


def filled(name: str, values: Mapping[str, str], between: str = "") -> str:
    """The text of a file of templates, with values in the place of its @names@ and without a line break at its end.

    Where `between` says what stands between its parts, those that name an empty value are left out.
    """
    text = _template(name)
    if between:
        parts = text.split(between)
        text = between.join(part for part in parts if all(values[each] for each in _NAME.findall(part)))
    return _NAME.sub(lambda found: values[found[1]], text)


@cache
def _template(name: str) -> str:
    with open(os.path.join(TEMPLATES, name), encoding="utf-8") as file:
        return file.read().rstrip("\n")
