"""The kinds of a plugin's parameters, as plugin-parameters.toml names them."""

from __future__ import annotations

import re
from typing import Any

WORDS = {
    "any": "a value",
    "boolean": "true or false, without quotes",
    "count": "a whole number from 0, without quotes",
    "duration": 'a duration in quotes, such as "2m30s"',
    "list": "a list",
    "number": "a number, without quotes",
    "port": "a port, without quotes",
    "positive": "a whole number from 1, without quotes",
    "share": "a number above 0 and at most 1, without quotes",
    "text": "text, in quotes",
}
"""What a person has to write, by kind."""
_DURATION = r"([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+"
_LEAST = {"count": 0, "positive": 1, "port": 0}


def fits(value: Any, kind: str) -> bool:
    """Whether Go's decoder takes the value for that kind. A whole number may be written 5000.0 or 1e+06."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in _LEAST:
        return number and value == value // 1 and _LEAST[kind] <= value <= (65535 if kind == "port" else value)
    if kind == "share":
        return number and 0 < value <= 1
    if kind == "number":
        return number
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "list":
        return isinstance(value, list)
    if kind == "duration":
        return isinstance(value, str) and bool(re.fullmatch(_DURATION, value))
    return kind == "any" or isinstance(value, str)


def whole(kind: str) -> bool:
    """Whether that kind is a whole number."""
    return kind in _LEAST
