"""An upgrade for people: the edits as a unified diff, and the whole of it as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import unified_diff

from llmdgen.diff.markdown import write
from llmdgen.findings import Located
from llmdgen.shown import code_span, fence
from llmdgen.upgrade import replacement
from llmdgen.upgrade.run import Effect

_RED, _GREEN, _CYAN, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[1m", "\x1b[0m"
_TINTS = {"---": _BOLD, "+++": _BOLD, "@@": _CYAN, "-": _RED, "+": _GREEN}
_NO_BREAK = "\\ No newline at end of file"


def edits(path: str, old: str, new: str, colour: bool = False) -> str:
    """The unified diff of a file, line breaks as a terminal shows them; `colour` writes ANSI sequences. A spec has no
    line breaks but those of YAML, since its reader takes no other."""
    lines = []
    for line in unified_diff(old.splitlines(True), new.splitlines(True), path, path, lineterm=""):
        body = line.rstrip("\r\n")
        tint = next((tint for start, tint in _TINTS.items() if line.startswith(start)), "") if colour else ""
        lines.append(f"{tint}{body}{_PLAIN}" if tint else body)
        if body == line and lines[2:] and not line.startswith("@@"):
            lines.append(_NO_BREAK)
    return "".join(f"{line}\n" for line in lines)


def markdown(title: str, diff: str, effect: Effect, findings: Sequence[Located]) -> str:
    """GitHub Markdown for one file: the edits, what they do to the deployment, how it is replaced, and the findings."""
    parts = [f"### {title}"]
    if diff:
        marks = fence(diff, 3)
        parts.append(f"{marks}diff\n{diff}{marks}")
    if effect.difference is not None:
        parts.append(write(effect.difference).rstrip("\n"))
    parts += map(replacement.markdown, effect.ways)
    if findings:
        parts.append("\n".join(f"- {code_span(str(each))}" for each in findings))
    return "\n\n".join(parts) + "\n"
