"""How messages name values: what a reader sees in the file, cut where it is long."""

from __future__ import annotations

from typing import Any

from llmdgen.secrets import mask

LONGEST = 60
MAY_BE_A_BASE = "; a base is not loaded itself, but the specs that extend it"


def quoted(text: str, bare: bool = False) -> str:
    """Text as a message shows it: on one line, at most 60 characters, in quotes unless bare, without secrets."""
    text = mask(text)
    shown = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST - 3]}..."
    return shown if bare else f"'{shown}'"


def described(value: Any) -> str:
    """A value with its kind: "the text '4'", "the number 4.5", "a list"."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {quoted(value)}" if value else "an empty text"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "a mapping"


def dotted(route: tuple[str | int, ...]) -> str:
    """A route as a reader writes it: spec.instanceTypes[0]."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in route)
    return words.removeprefix(".")
