"""Where the package's own files are: facts beside the code, templates and schemas at the top of the repository.

A wheel carries templates/ and schemas/ inside the package; a checkout has them one level up. Plain paths, because a
render has a tenth of a second, and importing pathlib takes some of it.
"""

from __future__ import annotations

import os

PACKAGE = os.path.dirname(os.path.abspath(__file__))
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
