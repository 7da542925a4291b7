"""YAML of a foreign tree: read safely, and its errors with file, line and column."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from llmdgen.diff.limits import DEPTH, VALUES
from llmdgen.diff.problem import DiffError

_FIX = "restore the file, or render it again"


class _Unreadable(Exception):
    """Why a text cannot be read, and where as `:line:column`, "" where that is not known."""

    def __init__(self, at: str, says: str) -> None:
        self.at, self.says = at, says
        super().__init__(says)


def load(text: str, place: str) -> dict[str, Any]:
    """The one mapping of a file, empty where it holds nothing; the caller's own, to take apart. Raises DiffError."""
    found = documents(text, place)
    if len(found) > 1:
        raise DiffError(f"{place}:1:1", "one YAML document is expected here", _FIX)
    return found[0] if found else {}


def documents(text: str, place: str) -> list[dict[str, Any]]:
    """Every mapping of a file of several documents, empty ones left out; the caller's own too. Raises DiffError."""
    from copy import deepcopy

    try:
        return deepcopy(_mappings(text))
    except _Unreadable as error:
        raise DiffError(f"{place}{error.at}", error.says, _FIX) from error


# Targets of one deployment share most of their files, and so do both sides.
@lru_cache(maxsize=256)
def _mappings(text: str) -> list[dict[str, Any]]:
    from llmdgen import plain_yaml

    try:
        found = plain_yaml.load_all(text)
    except plain_yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise _Unreadable(at, f"this is not YAML: {_line(error.problem or error.context or '')}") from error
    except plain_yaml.YAMLError as error:
        raise _Unreadable("", f"this is not YAML: {_line(str(error))}") from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise _Unreadable("", f"this YAML cannot be read: {_line(str(error))}") from error
    if any(each is not None and not isinstance(each, dict) for each in found):
        raise _Unreadable(":1:1", "a mapping is expected here")
    return [_plain(each, 0, [VALUES]) for each in found if each is not None]


def _line(says: str) -> str:
    return " ".join(says.split("\n")[0].split())


def _plain(value: Any, depth: int, left: list[int]) -> Any:
    """The value with text keys, and nothing in it but maps, lists and scalars of JSON. Shared parts (aliases) are
    copied, so that a document which refers to itself ends at the depth limit and one that multiplies at the count."""
    left[0] -= 1
    if left[0] < 0 or depth > DEPTH:
        raise _Unreadable("", "this YAML is larger or deeper than any values file")
    if isinstance(value, dict):
        return {_text(key): _plain(item, depth + 1, left) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item, depth + 1, left) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return _text(value)


def _text(key: Any) -> str:
    return key if isinstance(key, str) else compact(key)


def compact(value: Any) -> str:
    """A value as text on one line, keys in order: equal values give equal texts."""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value, order="sorted").decode()
    except (TypeError, OverflowError, ValueError):
        return str(value)
