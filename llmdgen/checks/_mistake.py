"""What is wrong with a value of a chart, and the helpers by which the kinds say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from llmdgen.findings import Route
from llmdgen.suggest import did_you_mean


class Mistake(Struct, frozen=True):
    """One thing that is wrong; `route` leads from the value to the part at fault."""

    route: Route
    says: str
    fix: str
    on_key: bool = False


def unknown_keys(value: dict[str, Any], known: tuple[str, ...], at: Route, what: str) -> Iterator[Mistake]:
    for key in value:
        if key not in known:
            yield Mistake((*at, key), f"{what} has no {key}", did_you_mean(str(key), known), on_key=True)


def shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)[:60]


def listing(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, list):
        yield Mistake((), f"{shown(value)} is no list", "write each entry after a dash")
