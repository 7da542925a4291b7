"""YAML of a foreign tree: read safely, and its errors with file, line and column."""

from __future__ import annotations

from typing import Any

import msgspec

from llmdgen.diff.limits import DEPTH, VALUES
from llmdgen.diff.problem import DiffError

_FIX = "restore the file, or render it again"


def load(text: str, place: str) -> dict[str, Any]:
    """The one mapping of a file, empty where it holds nothing. Raises DiffError."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"{place}:{mark.line + 1}:{mark.column + 1}" if mark else place
        raise DiffError(at, f"this is not YAML: {_line(error.problem or error.context or '')}", _FIX) from error
    except YAMLError as error:
        raise DiffError(place, f"this is not YAML: {_line(str(error))}", _FIX) from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise DiffError(place, f"this YAML cannot be read: {_line(str(error))}", _FIX) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise DiffError(f"{place}:1:1", "a mapping is expected here", _FIX)
    left = [VALUES]
    plain: dict[str, Any] = _plain(document, place, 0, left)
    return plain


def _line(says: str) -> str:
    return " ".join(says.split("\n")[0].split())


def _plain(value: Any, place: str, depth: int, left: list[int]) -> Any:
    """The value with text keys, and nothing in it but maps, lists and scalars of JSON. Shared parts (aliases) are
    copied, so that a document which refers to itself ends at the depth limit and one that multiplies at the count."""
    left[0] -= 1
    if left[0] < 0 or depth > DEPTH:
        raise DiffError(place, "this YAML is larger or deeper than any values file", _FIX)
    if isinstance(value, dict):
        return {_text(key): _plain(item, place, depth + 1, left) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item, place, depth + 1, left) for item in value]
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
