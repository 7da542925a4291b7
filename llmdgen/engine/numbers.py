"""Numbers as vLLM's flags take them, and as a spec may write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

_Default = TypeVar("_Default")
_Number = TypeVar("_Number", int, float)
_HUMAN = re.compile(r"(\d+(?:\.\d+)?)([kKmMgGtT])")
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def human_int(text: str) -> int:
    """A number as vLLM reads it: 32k is 32,000, 32K is 32,768. Raises ValueError, also for half a binary unit."""
    match = _HUMAN.fullmatch(text.strip())
    if match is None:
        return int(text)
    number, suffix = match.groups()
    return int(float(number) * _DECIMAL[suffix]) if suffix in _DECIMAL else int(number) * _BINARY[suffix]


def parsed(text: str, reader: Callable[[str], _Number], default: _Default) -> _Number | _Default:
    """What a reader of numbers makes of a text, `default` where it is none to it."""
    try:
        return reader(text)
    except ValueError:
        return default


def whole(value: object, default: _Default) -> int | _Default:
    """A whole number, or text that vLLM reads as one; `default` for anything else, which other checks refuse."""
    return int(value) if isinstance(value, int | float) else parsed(str(value), human_int, default)


def decimal(value: object, default: float) -> float:
    """A number with a fraction, `default` for anything else."""
    return parsed(str(value), float, default)
