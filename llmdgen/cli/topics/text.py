"""The form of an explanation: a title, rows of names and values, notes, sources."""

from __future__ import annotations

from collections.abc import Iterable

GIB = 1 << 30
_WIDTH = 116


def sections(title: str, rows: dict[str, object], sources: Iterable[str], notes: Iterable[str] = ()) -> str:
    """An explanation as text."""
    width = max(len(name) for name in rows)
    text = "\n".join([title, *(f"  {name.ljust(width)}  {value}" for name, value in rows.items())])
    for heading, items in (("notes", tuple(notes)), ("sources", tuple(sources))):
        if items:
            text += f"\n{heading}:\n" + "\n".join(_item(item) for item in items)
    return text


def _item(text: str) -> str:
    from textwrap import fill

    dash, indent = "  - ", "    "
    return fill(
        text, _WIDTH, initial_indent=dash, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
