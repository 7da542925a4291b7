"""What an unquoted scalar means: the core schema of YAML 1.2.

Only null, true, false and numbers are anything but text. `yes`, `no`, `on`, `off`, `1_000`, `12:30` and dates stay the
text that they are, whatever a YAML 1.1 reader would make of them.
"""

from __future__ import annotations

import re

NULLS = frozenset(("", "~", "null", "Null", "NULL"))
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
SMALLEST, LARGEST = -(2**63), 2**64 - 1

_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_ZERO_FIRST = re.compile(r"[-+]?0[0-9]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INFINITY = float("inf")
_LONGEST = 64


class NotANumber(ValueError):
    """A number that no reader of the output could hold, or that two would read differently; the message says why."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar. Raises NotANumber for infinities, NaN, octal numbers and those of more than
    64 bits."""
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _OCTAL.fullmatch(text) or _ZERO_FIRST.fullmatch(text):
        raise NotANumber(f"readers of YAML differ about {text[:20]}: to some it is octal")
    if _DECIMAL.fullmatch(text):
        return _integer(text, 10)
    if _HEXADECIMAL.fullmatch(text):
        return _integer(text[2:], 16)
    if _NOT_FINITE.fullmatch(text):
        raise NotANumber("infinity and not-a-number are not values here")
    if _FLOAT.fullmatch(text):
        number = float(text)
        if abs(number) == _INFINITY:
            raise NotANumber("the number is larger than 64 bits hold")
        return number
    return text


def _integer(digits: str, base: int) -> int:
    """The length is looked at first: Python refuses to convert very long numbers, and slowly converts long ones."""
    number = int(digits, base) if len(digits) <= _LONGEST else None
    if number is None or not SMALLEST <= number <= LARGEST:
        raise NotANumber("the number is larger than 64 bits hold")
    return number
