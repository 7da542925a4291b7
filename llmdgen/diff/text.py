"""The difference for a terminal: sizes, then a section for targets that change alike, a line a change, what follows
below."""

from __future__ import annotations

from llmdgen.diff import words
from llmdgen.diff.compare import Change
from llmdgen.diff.fold import Difference
from llmdgen.diff.step import Consequence
from llmdgen.shown import visible

_RED, _GREEN, _YELLOW, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
_SIGNS = {"+": _GREEN, "-": _RED, "~": _YELLOW}
_WEIGHTS = {"breaks": _RED, "exposes": _RED, "interrupts": _YELLOW, "costs": _YELLOW, "note": ""}


def write(found: Difference, colour: bool = False) -> str:
    """The text, ending with a line break; `colour` writes ANSI sequences. Characters that do not print are escaped."""

    def tinted(text: str, tint: str) -> str:
        return f"{tint}{visible(text)}{_PLAIN}" if colour and tint else visible(text)

    def follows(each: Consequence) -> str:
        return tinted(f"  => {each.weight}: {each}", _WEIGHTS[each.weight])

    blocks = [[tinted(f"stale: {words.stale(each)}", _YELLOW) for each in found.stale]]
    if not found.lone and not found.sections:
        return "\n".join([*blocks[0], words.nothing(found)]) + "\n"
    blocks.append(
        [
            visible(f"size of {', '.join(names)} on {', '.join(targets)}: {said}")
            for names, targets, said in words.sizes(found)
        ]
    )
    lone = []
    for each in found.lone:
        sign, what = ("+", "added") if each.is_added else ("-", "removed")
        about = f" ({each.what})" if each.what else ""
        lone.append(tinted(f"{sign} {each.name} on {each.target}: {what}{about}", _SIGNS[sign]))
    if (removal := words.removal(found)) is not None:
        lone.append(follows(removal))
    blocks.append(lone)
    for names, section in words.sections(found):
        lines = [tinted(f"  {line.sign} {_change(line)}", _SIGNS[line.sign]) for line in section.lines]
        lines += map(follows, section.consequences)
        heading = tinted(f"{words.listed(names)} on {', '.join(section.targets)}:", _BOLD)
        blocks.append([heading, *lines])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _change(line: Change) -> str:
    old, new = words.pair(line)
    what = f"{', '.join(line.subjects)} {line.name}".rstrip()
    if line.sign != "~":
        return f"{what}: {new or old}"
    grown = words.delta(line)
    return f"{what}: {old} -> {new}" + (f" ({grown})" if grown else "")
