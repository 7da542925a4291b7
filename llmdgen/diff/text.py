"""The difference for a terminal: sizes, then a section for targets that change alike, a line a change, what follows
below."""

from __future__ import annotations

from llmdgen.diff import words
from llmdgen.diff.fold import Difference, Line, Section
from llmdgen.diff.shown import shown
from llmdgen.diff.step import Consequence

_RED, _GREEN, _YELLOW, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
_WEIGHTS = {"breaks": _RED, "exposes": _RED, "interrupts": _YELLOW, "costs": _YELLOW, "note": ""}


def write(found: Difference, colour: bool = False) -> str:
    """The text, ending with a line break; `colour` writes ANSI sequences. Characters that do not print are escaped."""
    warnings = [_tinted(f"stale: {printable(words.stale(each))}", _YELLOW, colour) for each in found.stale]
    if not found.lone and not found.sections:
        return "\n".join([*warnings, words.nothing(found)]) + "\n"
    sizes = [
        f"size of {', '.join(names)} on {', '.join(targets)}: {text}" for names, targets, text in words.sizes(found)
    ]
    blocks = ["\n".join(each) for each in (warnings, list(map(printable, sizes))) if each]
    if found.lone:
        lines = []
        for each in found.lone:
            mark, tint, what = ("+", _GREEN, "added") if each.is_added else ("-", _RED, "removed")
            about = f" ({printable(each.what)})" if each.what else ""
            lines.append(_tinted(f"{mark} {printable(words.lone(each))}: {what}{about}", tint, colour))
        if (removal := words.removal(found)) is not None:
            lines.append(_consequence(removal, colour))
        blocks.append("\n".join(lines))
    for names, section in words.sections(found):
        if shown(section) or section.consequences:
            blocks.append("\n".join(_section(names, section, colour)))
    return "\n\n".join(blocks) + "\n"


def printable(text: str) -> str:
    """The text with everything escaped that a terminal would obey."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _section(names: tuple[str, ...], section: Section, colour: bool) -> list[str]:
    heading = f"{words.listed(names)} on {', '.join(section.targets)}"
    lines = [_tinted(f"{printable(heading)}:", _BOLD, colour)]
    lines += [_change(line, colour) for line in shown(section)]
    return [*lines, *(_consequence(each, colour) for each in section.consequences)]


def _consequence(each: Consequence, colour: bool) -> str:
    return _tinted(f"  => {each.weight}: {printable(words.consequence(each))}", _WEIGHTS[each.weight], colour)


def _change(line: Line, colour: bool) -> str:
    old, new = map(printable, words.pair(line))
    name = printable(line.name)
    what = f"{words.subject(line)} {name}".rstrip() + ": "
    if line.old is None:
        return _tinted(f"  + {what}{new}", _GREEN, colour)
    if line.new is None:
        return _tinted(f"  - {what}{old}", _RED, colour)
    grown = words.delta(line)
    return _tinted(f"  ~ {what}{old} -> {new}" + (f" ({grown})" if grown else ""), _YELLOW, colour)


def _tinted(text: str, tint: str, colour: bool) -> str:
    return f"{tint}{text}{_PLAIN}" if colour and tint else text
