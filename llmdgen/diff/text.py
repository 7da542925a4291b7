"""The difference for a terminal: sizes, then a section for targets that change alike, a line a change, what follows
below. Changes and sizes are in words, which other formats have too."""

from __future__ import annotations

import re

from msgspec import structs

from llmdgen.diff.fold import Difference, Growth, Section, Size, Stale
from llmdgen.diff.lines import GROUP, shown, value
from llmdgen.diff.state import renamed
from llmdgen.diff.step import Change, Consequence
from llmdgen.shown import visible

LONGEST = 120  # characters of a value; start scripts and JSON can be pages
LONGEST_GROUP = 400  # of a thing that is new or gone, and of a warning
MOST_NAMES = 8  # of deployments in a heading
# What grows visibly; of other numbers the old and the new one say enough.
_COUNTED = ("replicas", "nodes", "total", "device", "parallelism")
_RED, _GREEN, _YELLOW, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
_SIGNS = {"+": _GREEN, "-": _RED, "~": _YELLOW}
_WEIGHTS = {"breaks": _RED, "exposes": _RED, "interrupts": _YELLOW, "costs": _YELLOW, "note": ""}


def write(found: Difference, colour: bool = False) -> str:
    """The text, ending with a line break; `colour` writes ANSI sequences. Characters that do not print are escaped."""

    def tinted(text: str, tint: str) -> str:
        return f"{tint}{visible(text)}{_PLAIN}" if colour and tint else visible(text)

    def follows(each: Consequence) -> str:
        return tinted(f"  => {each.weight}: {each}", _WEIGHTS[each.weight])

    blocks = [[tinted(f"stale: {stale_line(each)}", _YELLOW) for each in found.stale]]
    if not found.lone and not found.sections:
        return "\n".join([*blocks[0], nothing(found)]) + "\n"
    blocks.append(
        [
            visible(f"size of {', '.join(names)} on {', '.join(targets)}: {said}")
            for names, targets, said in size_lines(found)
        ]
    )
    lone = []
    for each in found.lone:
        sign, what = ("+", "added") if each.is_added else ("-", "removed")
        about = f" ({each.what})" if each.what else ""
        lone.append(tinted(f"{sign} {each.name} on {each.target}: {what}{about}", _SIGNS[sign]))
    if (gone := removal(found)) is not None:
        lone.append(follows(gone))
    blocks.append(lone)
    for names, section in shown_sections(found):
        lines = [tinted(f"  {line.sign} {_change(line)}", _SIGNS[line.sign]) for line in section.lines]
        lines += map(follows, section.consequences)
        heading = tinted(f"{listed(names)} on {', '.join(section.targets)}:", _BOLD)
        blocks.append([heading, *lines])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _change(line: Change) -> str:
    old, new = pair(line)
    what = f"{', '.join(line.subjects)} {line.name}".rstrip()
    if line.sign != "~":
        return f"{what}: {new or old}"
    grown = delta(line)
    return f"{what}: {old} -> {new}" + (f" ({grown})" if grown else "")


def pair(line: Change) -> tuple[str, str]:
    """Old and new, each short enough for a line; of long ones the part that differs."""
    old, new = ("" if each is None else value(each) for each in (line.old, line.new))
    longest = LONGEST_GROUP if line.topic in (GROUP, "warning") else LONGEST
    if max(len(old), len(new)) <= longest:
        return old, new
    start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, start - 20) if old and new else 0
    return _cut(old, start, longest), _cut(new, start, longest)


def _cut(text: str, start: int, longest: int) -> str:
    part = text[start : start + longest - 6]
    before, after = "..." if start and part else "", "..." if start + len(part) < len(text) else ""
    return f"{before}{part}{after}"


def delta(line: Change) -> str:
    """How a number grew: `+8`, and in percent where the numbers are large and one is not zero."""
    grown = line.delta
    if grown is None or not isinstance(line.old, int | float):
        return ""
    if line.name.startswith("KV cache") and line.old:
        percent = round(100 * grown / line.old)
        return f"{percent:+d} %" if percent else ""
    return f"{grown:+g}" if line.topic in _COUNTED else ""


def size_lines(found: Difference) -> list[tuple[tuple[str, ...], tuple[str, ...], str]]:
    """Deployments, their targets and `nodes 1 -> 2, GPUs 8 -> 12, ...`; of several targets that stay as they are, that
    they do."""
    same = [each.name for each in found.sizes if each.before == each.after]
    said_of: dict[tuple[str, str], list[str]] = {}
    for each in found.sizes:
        is_one_of_several = each.before == each.after and same.count(each.name) > 1
        said_of.setdefault((each.name, "as before" if is_one_of_several else _size(each)), []).extend(each.targets)
    together: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (name, text), targets in said_of.items():
        together.setdefault((tuple(sorted(targets)), text), []).append(name)
    return [(tuple(names), targets, text) for (targets, text), names in together.items()]


def _size(growth: Growth) -> str:
    """`nodes 1 -> 2, GPUs 8 -> 12, EFA interfaces 32 -> 48, pods 5 -> 6`; a number that stays is said once."""
    before, after = structs.astuple(growth.before), structs.astuple(growth.after)
    is_lone = Size() in (growth.before, growth.after)
    said = ", ".join(
        f"{what} {old or new}" if old == new or is_lone else f"{what} {old} -> {new}"
        for what, old, new in zip(("nodes", "GPUs", "EFA interfaces", "pods"), before, after, strict=True)
    )
    if before == after:
        return f"{said}, as before"
    return said if not is_lone else f"gone, it had {said}" if growth.after == Size() else f"new, {said}"


def shown_sections(found: Difference) -> list[tuple[tuple[str, ...], Section]]:
    """Sections with the lines to show, each with the deployments that it holds for: one base changes many alike. Where
    it holds for several, `<name>` stands for the name of each."""
    together: dict[str, tuple[list[str], Section, Section]] = {}
    for section in found.sections:
        general = _general(section)
        together.setdefault(repr(general), ([], section, general))[0].append(section.name)
    sections = []
    for names, section, general in together.values():
        section = general if names[1:] else section
        if (lines := shown(section)) or section.consequences:
            sections.append((tuple(names), structs.replace(section, lines=tuple(lines))))
    return sections


def _general(section: Section) -> Section:
    """A section with `<name>` in place of the deployment's own name, wherever a text holds it."""
    name = re.compile(rf"(?<![A-Za-z0-9.]){re.escape(section.name)}(?![A-Za-z0-9.])")
    return renamed(section, lambda text: name.sub("<name>", text))


def listed(names: tuple[str, ...]) -> str:
    """`chat, talk`; of many the first, and how many they are."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMES - 2])} and {len(names) - MOST_NAMES + 2} more"


def stale_line(each: Stale) -> str:
    """`rendered/chat (p5.48xlarge): the spec changed since it was rendered ...`, and what mends it."""
    why = f"{each.says}, and what is compared is what is rendered: `{each.mend}` first"
    return f"{each.directory} ({', '.join(each.targets)}): {why}"


def removal(found: Difference) -> Consequence | None:
    """What a directory that is gone does to what was deployed from it: nothing."""
    if all(each.is_added for each in found.lone):
        return None
    says = "what was deployed from a removed directory runs on until `helmfile destroy` in it, as it was"
    return Consequence("costs", says)


def nothing(found: Difference) -> str:
    """What to say where nothing differs."""
    of = " in what is rendered" if found.stale else ""
    return f"no difference in meaning{of} ({found.compared} target{'s'[: found.compared != 1]} compared)"
