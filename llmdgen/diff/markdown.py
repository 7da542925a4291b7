"""The difference as a comment on a pull request: what follows first, then a table of changes, folded when long."""

from __future__ import annotations

import re

from llmdgen.diff.fold import Difference, Section
from llmdgen.diff.step import Change, Consequence
from llmdgen.diff.text import MOST_NAMES, delta, listed, nothing, pair, removal, shown_sections, size_lines, stale_line
from llmdgen.shown import code_span, visible

ROWS = 12  # of a table that is shown open
LONGEST = 60_000  # characters; GitHub takes 65,536 in a comment, and something stands around this
_SIGNS = {"breaks": "🛑", "exposes": "🔓", "interrupts": "⚠️", "costs": "💰", "note": "📝"}
_MARKUP = re.compile(r"([\\`*_\[\]<>|#~!&$@])")


def write(found: Difference) -> str:
    """GitHub Markdown, ending with a line break. Nothing of a value becomes markup, a link or a mention."""
    if found.is_empty:
        return f"**llmdgen diff:** {nothing(found)}.\n"
    lone = []
    for each in found.lone:
        about = f" ({_escaped(each.what)})" if each.what else ""
        lone.append(f"- {'added' if each.is_added else 'removed'}: {code(f'{each.name} on {each.target}')}{about}")
    if (gone := removal(found)) is not None:
        lone.append(_consequence(gone))
    parts = [
        "### llmdgen diff",
        "\n".join(f"- ⏳ **stale**: {_prose(stale_line(each))}" for each in found.stale),
        "" if found.lone or found.sections else f"{nothing(found)}.",
        "\n".join(
            f"- size of {_codes(names)} on {_codes(targets)}: {_escaped(said)}"
            for names, targets, said in size_lines(found)
        ),
        "\n".join(lone),
        *(_section(names, section) for names, section in shown_sections(found)),
    ]
    return _bounded([part for part in parts if part])


def _bounded(parts: list[str]) -> str:
    """The parts that fit into a comment; what is left out at the end is said."""
    kept, left = [], LONGEST
    for part in parts:
        left -= len(part) + 2
        if left < 0:
            break
        kept.append(part)
    if more := len(parts) - len(kept):
        kept.append(f"**{more} more section{'s'[: more != 1]}** did not fit here: `llmdgen diff` has all.")
    return "\n\n".join(kept) + "\n"


def _section(names: tuple[str, ...], section: Section) -> str:
    lines = section.lines
    called = _escaped(listed(names)) if len(names) > MOST_NAMES else _codes(names)
    parts = [f"#### {called} on {_codes(section.targets)}"]
    if section.consequences:
        parts.append("\n".join(map(_consequence, section.consequences)))
    if lines:
        table = "\n".join(("| | what | before | after | |", "|---|---|---|---|---|", *map(_row, lines)))
        folded = f"<details>\n<summary>{len(lines)} changes</summary>\n\n{table}\n\n</details>"
        parts.append(table if len(lines) <= ROWS else folded)
    return "\n\n".join(parts)


def _consequence(each: Consequence) -> str:
    return f"- {_SIGNS[each.weight]} **{each.weight}**: {_prose(str(each))}"


def _row(line: Change) -> str:
    old, new = pair(line)
    before, after = ("" if given is None else code(text) for given, text in ((line.old, old), (line.new, new)))
    name = code(line.name) if line.name else ""
    return f"| {_escaped(', '.join(line.subjects))} | {name} | {before} | {after} | {_escaped(delta(line))} |"


def _codes(texts: tuple[str, ...]) -> str:
    return ", ".join(map(code, texts))


def code(text: str) -> str:
    """A text as code, in a table too, where a pipe ends a cell even inside backticks unless it is escaped."""
    return code_span(visible(text)).replace("|", "\\|")


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", visible(text))


def _prose(text: str) -> str:
    """A sentence whose commands in backticks stay code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _escaped(text)
    return "".join(code(part) if at % 2 else _escaped(part) for at, part in enumerate(parts))
