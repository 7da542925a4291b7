"""The difference as a comment on a pull request: what follows first, then a table of changes, folded when long."""

from __future__ import annotations

import re

from llmdgen.diff import words
from llmdgen.diff.fold import Difference, Line, Section
from llmdgen.diff.shown import shown
from llmdgen.diff.step import Consequence
from llmdgen.diff.text import printable

ROWS = 12  # of a table that is shown open
LONGEST = 60_000  # characters; GitHub takes 65,536 in a comment, and something stands around this
_SIGNS = {"breaks": "🛑", "exposes": "🔓", "interrupts": "⚠️", "costs": "💰", "note": "📝"}
_MARKUP = re.compile(r"([\\`*_\[\]<>|#~!&$@])")


def write(found: Difference) -> str:
    """GitHub Markdown, ending with a line break. Nothing of a value becomes markup, a link or a mention."""
    if found.is_empty:
        return f"**llmdgen diff:** {words.nothing(found)}.\n"
    parts = ["### llmdgen diff"]
    if found.stale:
        parts.append("\n".join(f"- ⏳ **stale**: {_prose(words.stale(each))}" for each in found.stale))
    if not found.lone and not found.sections:
        parts.append(f"{words.nothing(found)}.")
    if found.sizes:
        parts.append(
            "\n".join(
                f"- size of {', '.join(map(_code, names))} on {', '.join(map(_code, targets))}: {_escaped(said)}"
                for names, targets, said in words.sizes(found)
            )
        )
    if found.lone:
        rows = [
            f"- {'added' if each.is_added else 'removed'}: {_code(words.lone(each))}"
            + (f" ({_escaped(each.what)})" if each.what else "")
            for each in found.lone
        ]
        removal = words.removal(found)
        parts.append("\n".join([*rows, *([] if removal is None else [_consequence(removal)])]))
    for names, section in words.sections(found):
        if shown(section) or section.consequences:
            parts.append("\n\n".join(_section(names, section)))
    return _bounded(parts)


def _bounded(parts: list[str]) -> str:
    """The parts that fit into a comment; what is left out at the end is said."""
    kept, left = [], LONGEST
    for part in parts:
        left -= len(part) + 2
        if left < 0:
            break
        kept.append(part)
    if len(kept) < len(parts):
        more = len(parts) - len(kept)
        kept.append(f"**{more} more section{'s'[: more != 1]}** did not fit here: `llmdgen diff` has all.")
    return "\n\n".join(kept) + "\n"


def _names(names: tuple[str, ...]) -> str:
    if len(names) > words.MOST_NAMES:
        return _escaped(words.listed(names))
    return ", ".join(map(_code, names))


def _section(names: tuple[str, ...], section: Section) -> list[str]:
    lines = shown(section)
    targets = ", ".join(map(_code, section.targets))
    parts = [f"#### {_names(names)} on {targets}"]
    if section.consequences:
        parts.append("\n".join(map(_consequence, section.consequences)))
    if not lines:
        return parts
    table = "\n".join(("| | what | before | after | |", "|---|---|---|---|---|", *map(_row, lines)))
    if len(lines) > ROWS:
        table = f"<details>\n<summary>{len(lines)} changes</summary>\n\n{table}\n\n</details>"
    return [*parts, table]


def _consequence(each: Consequence) -> str:
    return f"- {_SIGNS[each.weight]} **{each.weight}**: {_prose(words.consequence(each))}"


def _row(line: Line) -> str:
    old, new = words.pair(line)
    before, after = ("" if given is None else _code(text) for given, text in ((line.old, old), (line.new, new)))
    name = _code(line.name) if line.name else ""
    return f"| {_escaped(words.subject(line))} | {name} | {before} | {after} | {_escaped(words.delta(line))} |"


def _code(text: str) -> str:
    """A value as code in a table. A pipe ends a cell even inside backticks unless it is escaped."""
    text = printable(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    inner = text.replace("|", "\\|")
    return f"{fence}{space}{inner}{space}{fence}"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", printable(text))


def _prose(text: str) -> str:
    """A sentence whose commands in backticks stay code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _escaped(text)
    return "".join(_code(part) if at % 2 else _escaped(part) for at, part in enumerate(parts))
