"""How a compiled template looks names up: as Jinja does with StrictUndefined, an absent one is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Context = dict[str, Any]


class UndefinedName(LookupError):
    """A name that a template uses and nobody gave it."""


def name(context: Context, key: str) -> Any:
    """A variable of the template. Raises UndefinedName."""
    if key not in context:
        raise UndefinedName(f"{key!r} is undefined")
    return context[key]


def get(value: Any, key: Any) -> Any:
    """`value.key`: the attribute, else the item. Raises UndefinedName."""
    if isinstance(key, str):
        try:
            return getattr(value, key)
        except AttributeError:
            pass
    return item(value, key)


def item(value: Any, key: Any) -> Any:
    """`value[key]`. Raises UndefinedName."""
    try:
        return value[key]
    except (LookupError, TypeError) as error:
        raise UndefinedName(f"{type(value).__name__!r} object has no {key!r}") from error


def defined(look: Callable[[], Any]) -> bool:
    """Whether a lookup finds something: `is defined`."""
    try:
        look()
    except UndefinedName:
        return False
    return True
