"""An upgrade for people: the edits as a unified diff, and findings at the lines of the file as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher, unified_diff

from msgspec import structs

from llmdgen.diff.fold import Difference
from llmdgen.diff.markdown import fence, write
from llmdgen.findings import Located, Place
from llmdgen.upgrade import replacement
from llmdgen.upgrade.merge import lines_of
from llmdgen.upgrade.replacement import Way

_RED, _GREEN, _CYAN, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[1m", "\x1b[0m"
_TINTS = {"---": _BOLD, "+++": _BOLD, "@@": _CYAN, "-": _RED, "+": _GREEN}
_NO_BREAK = "\\ No newline at end of file"


def edits(path: str, old: str, new: str, colour: bool = False) -> str:
    """The unified diff of a file, line breaks as a terminal shows them; `colour` writes ANSI sequences."""
    lines = []
    for line in unified_diff(lines_of(old), lines_of(new), path, path, lineterm=""):
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
    lines: dict[int, tuple[int, bool]] = {}
    before, after = lines_of(old), lines_of(new)
    for tag, start, end, there, there_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        last = min(max(there, there_end - 1), len(after) - 1)
        lines |= {start + by + 1: (min(there + by, last) + 1, tag == "equal") for by in range(end - start)}
    shown = []
    for each in findings:
        place = each.place
        if moved and place in moved:
            place = moved[place]
        elif place.path == path and place.line in lines:
            line, is_same = lines[place.line]
            place = structs.replace(place, line=line, column=place.column if is_same else 1)
        shown.append(Located(each.finding, place))
    return shown


def markdown(
    title: str, diff: str, difference: Difference | None, ways: Sequence[Way], findings: Sequence[Located]
) -> str:
    """GitHub Markdown for one file: the edits, what they do to the deployment, how it is replaced, and the findings."""
    parts = [f"### {title}"]
    if diff:
        marks = fence(diff, 3)
        parts.append(f"{marks}diff\n{diff}{marks}")
    if difference is not None:
        parts.append(write(difference).rstrip("\n"))
    parts += map(replacement.markdown, ways)
    if findings:
        parts.append("\n".join(f"- {_code(str(each))}" for each in findings))
    return "\n\n".join(parts) + "\n"


def _code(text: str) -> str:
    marks = fence(text)
    return f"{marks} {text} {marks}" if "`" in text else f"{marks}{text}{marks}"


def _tinted(line: str) -> str:
    tint = next((tint for start, tint in _TINTS.items() if line.startswith(start)), "")
    return f"{tint}{line}{_PLAIN}" if tint else line
