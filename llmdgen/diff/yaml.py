"""YAML of a foreign tree: read safely, and its errors with file, line and column, as of everything that cannot be
compared."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from llmdgen import plain_yaml
from llmdgen.secrets import mask

_FIX = "restore the file, or render it again"


class DiffError(Exception):
    """One side cannot be read. `place` is a file, with line and column where they are known, or the side as it was
    named; `fix` says what helps."""

    def __init__(self, place: str, says: str, fix: str) -> None:
        self.place, self.says, self.fix = place, says, fix
        super().__init__(mask(f"{place}: error: {says} (fix: {fix})"))


def load(text: str, place: str) -> dict[str, Any]:
    """The one mapping of a file, empty where it holds nothing. Raises DiffError."""
    found = documents(text, place)
    if len(found) > 1:
        raise DiffError(f"{place}:1:1", "one YAML document is expected here", _FIX)
    return found[0] if found else {}


def documents(text: str, place: str) -> list[dict[str, Any]]:
    """Every mapping of a file of several documents, empty ones left out. They are shared by all who ask: whoever
    changes one takes a copy. Raises DiffError."""
    try:
        found = _documents(text)
    except (plain_yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        says = str(getattr(error, "problem", None) or getattr(error, "context", None) or error)
        what = "this is not YAML: " if isinstance(error, plain_yaml.YAMLError) else ""
        raise DiffError(f"{place}{at}", what + " ".join(says.split()), _FIX) from error
    if not all(isinstance(each, dict) for each in found):
        raise DiffError(f"{place}:1:1", "a mapping is expected here", _FIX)
    return found


# Targets of one deployment share most of their files, and so do both sides.
@lru_cache(maxsize=256)
def _documents(text: str) -> list[Any]:
    return [plain(each) for each in plain_yaml.load_all(text) if each is not None]


def plain(value: Any) -> Any:
    """A copy of a value with text keys, and nothing in it but maps, lists and scalars of JSON."""
    if isinstance(value, dict):
        return {compact(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, str | bool | int | float) else compact(value)


def compact(value: Any) -> str:
    """A value as text on one line, keys in order: equal values give equal texts."""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value, order="sorted").decode()
    except (TypeError, OverflowError, ValueError):
        return str(value)
