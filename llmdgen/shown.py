"""Texts of others where people and machines read them: on a terminal, in the log of a pipeline, in Markdown. No control
character reaches a terminal, no line is a command of a pipeline, and a code span ends where llmdgen ends it."""

from __future__ import annotations

import re

# What GitHub Actions takes for a command: at the beginning of a line, and anywhere.
_COMMAND = re.compile(r"^(\s*):(?=:)|##(?=\[)")


def visible(text: str) -> str:
    """A line with what does not print escaped, and with nothing that a pipeline obeys."""
    if not text.isprintable():
        text = "".join(
            each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode() for each in text
        )
    if "::" in text or "##[" in text:
        text = _COMMAND.sub(lambda found: f"{found[1]}\\x3a" if found[1] is not None else "#\\x23", text)
    return text


def code_span(text: str) -> str:
    """A text as code of Markdown, on one line."""
    text = " ".join(text.splitlines())
    marks = fence(text)
    space = " " if not text or "`" in (text[0], text[-1]) else ""
    return f"{marks}{space}{text}{space}{marks}"


def fence(text: str, least: int = 1) -> str:
    """Backticks that no text ends: one more than it has in a row anywhere."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))


def filled(text: str, width: int, first: str = "", rest: str = "") -> str:
    """A paragraph in lines of at most that width, broken between words alone; `first` and `rest` stand before them."""
    from textwrap import fill

    return fill(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
