"""An upgrade for people: the edits as a unified diff, and findings at the lines of the file as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher, unified_diff

from msgspec import structs

from llmdgen.diff.fold import Difference
from llmdgen.findings import Located, Place
from llmdgen.upgrade import replacement
from llmdgen.upgrade.replacement import Way

_RED, _GREEN, _CYAN, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[1m", "\x1b[0m"
_TINTS = {"---": _BOLD, "+++": _BOLD, "@@": _CYAN, "-": _RED, "+": _GREEN}
_NO_BREAK = "\\ No newline at end of file"


def edits(path: str, old: str, new: str, colour: bool = False) -> str:
    """The unified diff of a file, line breaks as a terminal shows them; `colour` writes ANSI sequences."""
    lines = []
    for line in unified_diff(_lines(old), _lines(new), path, path, lineterm=""):
        body = line.rstrip("\r\n")
        lines.append(_tinted(body) if colour else body)
        if body == line and lines[2:] and not line.startswith("@@"):
            lines.append(_NO_BREAK)
    return "".join(f"{line}\n" for line in lines)


def carried(
    findings: Iterable[Located], path: str, old: str, new: str, moved: Mapping[Place, Place] | None = None
) -> list[Located]:
    """Findings about one text of a file at the places where their lines stand in another. A line that is not there any
    more is the one at its place; `moved` says of single places where they are."""
    lines = {}
    before, after = _lines(old), _lines(new)
    for _, start, end, there, there_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for offset in range(end - start):
            is_same = before[start:end] == after[there:there_end]
            line = there + offset if is_same else min(there + offset, max(there, there_end - 1))
            lines[start + offset + 1] = (min(line, len(after) - 1) + 1, is_same)
    shown = []
    for each in findings:
        place = each.place
        if moved and place in moved:
            shown.append(Located(each.finding, moved[place]))
            continue
        line, is_same = lines.get(place.line, (place.line, True)) if place.path == path else (place.line, True)
        shown.append(Located(each.finding, structs.replace(place, line=line, column=place.column if is_same else 1)))
    return shown


def markdown(
    title: str, diff: str, difference: Difference | None, ways: Sequence[Way], findings: Sequence[Located]
) -> str:
    """GitHub Markdown for one file: the edits, what they do to the deployment, how it is replaced, and the findings."""
    from llmdgen.diff.markdown import write

    parts = [f"### {title}"]
    if diff:
        longest = max((len(run) for run in re.findall("`+", diff)), default=0)
        fence = "`" * max(3, longest + 1)
        parts.append(f"{fence}diff\n{diff}{fence}")
    if difference is not None:
        parts.append(write(difference).rstrip("\n"))
    parts += map(replacement.markdown, ways)
    if findings:
        parts.append("\n".join(f"- {_code(str(each))}" for each in findings))
    return "\n\n".join(parts) + "\n"


def _code(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def _tinted(line: str) -> str:
    tint = next((tint for start, tint in _TINTS.items() if line.startswith(start)), "")
    return f"{tint}{line}{_PLAIN}" if tint else line


def _lines(text: str) -> list[str]:
    """Lines with their breaks, as YAML breaks them."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
