"""Changes and consequences in words, for every format."""

from __future__ import annotations

import re

from msgspec import structs

from llmdgen.diff.fold import Difference, Line, Lone, Section, Stale
from llmdgen.diff.rules import Consequence
from llmdgen.diff.size import said
from llmdgen.diff.state import Value
from llmdgen.diff.yaml import compact

LONGEST = 120  # characters of a value; start scripts and JSON can be pages
MOST_NAMES = 8  # of deployments in a heading
LONGEST_GROUP = 400  # of a thing that is new or gone


def subject(line: Line) -> str:
    """decode, or `prefill, decode` where both change alike."""
    return ", ".join(line.subjects)


def value(given: Value) -> str:
    """A value on one line, as a command line or YAML would have it."""
    if isinstance(given, tuple):
        text = ", ".join(value(each) for each in given) or "none"
    elif isinstance(given, str):
        text = " ".join(given.split()) or '""'
    elif isinstance(given, float) and given.is_integer():
        text = str(int(given))
    else:
        text = compact(given)
    return text


def pair(line: Line) -> tuple[str, str]:
    """Old and new, each short enough for a line; of long ones the part that differs."""
    old, new = ("" if each is None else value(each) for each in (line.old, line.new))
    longest = LONGEST_GROUP if line.topic == "group" else LONGEST
    if max(len(old), len(new)) <= longest:
        return old, new
    start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, start - 20) if old and new else 0
    return _cut(old, start, longest), _cut(new, start, longest)


def _cut(text: str, start: int, longest: int) -> str:
    part = text[start : start + longest - 6]
    before, after = "..." if start and part else "", "..." if start + len(part) < len(text) else ""
    return f"{before}{part}{after}"


def delta(line: Line) -> str:
    """How a number grew: `+8`, and in percent where the numbers are large and one is not zero."""
    grown = line.delta
    if grown is None or not isinstance(line.old, int | float):
        return ""
    if line.name.startswith("KV cache") and line.old:
        return f"{100 * grown / line.old:+.0f} %".replace("+0 %", "").replace("-0 %", "")
    return f"{grown:+g}" if line.topic in ("replicas", "nodes", "total", "device", "parallelism") else ""


def consequence(given: Consequence) -> str:
    """A consequence with its roles in place."""
    return given.says.replace("{roles}", " and ".join(given.roles))


def sizes(found: Difference) -> list[tuple[tuple[str, ...], tuple[str, ...], str]]:
    """Deployments, their targets and `nodes 1 -> 2, GPUs 8 -> 12, ...`; of several targets that stay as they are, that
    they do."""
    said_of: dict[tuple[str, str], list[str]] = {}
    same = [each for each in found.sizes if each.before == each.after]
    for each in found.sizes:
        several = each in same and len([other for other in same if other.name == each.name]) > 1
        said_of.setdefault((each.name, "as before" if several else said(each)), []).extend(each.targets)
    alike: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (name, text), targets in said_of.items():
        alike.setdefault((tuple(sorted(targets)), text), []).append(name)
    return [(tuple(names), targets, text) for (targets, text), names in alike.items()]


def sections(found: Difference) -> list[tuple[tuple[str, ...], Section]]:
    """Sections, each with the deployments that it holds for: one base changes many alike. Where it holds for several,
    `<name>` stands for the name of each."""
    alike: dict[str, tuple[list[str], Section, Section]] = {}
    for section in found.sections:
        general = _general(section)
        names, _, _ = alike.setdefault(repr(general), ([], section, general))
        names.append(section.name)
    return [
        ((names[0],), section) if len(names) == 1 else (tuple(names), general)
        for names, section, general in alike.values()
    ]


def _general(section: Section) -> Section:
    name = re.compile(rf"(?<![A-Za-z0-9.]){re.escape(section.name)}(?![A-Za-z0-9.])")

    def without(value: Value) -> Value:
        if isinstance(value, tuple):
            return tuple(name.sub("<name>", each) if isinstance(each, str) else each for each in value)
        return name.sub("<name>", value) if isinstance(value, str) else value

    return structs.replace(
        section,
        name="<name>",
        lines=tuple(
            structs.replace(line, old=without(line.old), new=without(line.new), name=name.sub("<name>", line.name))
            for line in section.lines
        ),
        consequences=tuple(structs.replace(each, says=name.sub("<name>", each.says)) for each in section.consequences),
    )


def listed(names: tuple[str, ...]) -> str:
    """`chat, talk`; of many the first, and how many they are."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMES - 2])} and {len(names) - MOST_NAMES + 2} more"


def lone(each: Lone) -> str:
    """`chat on p5.48xlarge`."""
    return f"{each.name} on {each.target}"


def stale(each: Stale) -> str:
    """`rendered/chat (p5.48xlarge): the spec changed since it was rendered ...`, and what mends it."""
    return (
        f"{each.directory} ({', '.join(each.targets)}): {each.says}, and what is compared is what is rendered: "
        f"`{each.mend}` first"
    )


def removal(found: Difference) -> Consequence | None:
    """What a directory that is gone does to what was deployed from it: nothing."""
    if all(each.is_added for each in found.lone):
        return None
    return Consequence(
        "costs", "what was deployed from a removed directory runs on until `helmfile destroy` in it, as it was"
    )


def nothing(found: Difference) -> str:
    """What to say where nothing differs."""
    of = " in what is rendered" if found.stale else ""
    return f"no difference in meaning{of} ({found.compared} target{'s'[: found.compared != 1]} compared)"
