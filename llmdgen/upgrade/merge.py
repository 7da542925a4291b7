"""The lines of a file kept through a round trip: what an edit did to a document's normal form, done to its own text.

The normal form is what ruamel.yaml writes of the document without an edit. Where it is the same with the edit, the
file's own lines stand: blank lines, spaces, breaks and all. Where an edit touches a line, what the normal form writes
takes its place.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher


def lines_of(text: str) -> list[str]:
    """Lines with their breaks, as YAML breaks them."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def merged(text: str, before: str, after: str, line_break: str) -> str:
    """The text with the change from one normal form to the other; `line_break` ends lines that are new."""
    own, old, new = lines_of(text), before.splitlines(), after.splitlines()
    kept_own = _same(["".join(line.split()) for line in old], ["".join(line.split()) for line in own])
    kept_new = _same(old, new)
    found: list[str] = []
    start = (0, 0, 0)
    for index in [*sorted(kept_own.keys() & kept_new.keys()), len(old)]:
        end = (index, kept_own.get(index, len(own)), kept_new.get(index, len(new)))
        theirs = own[start[1] : end[1]]
        written = new[start[2] : end[2]]
        if old[start[0] : end[0]] == written:
            found += theirs
        else:
            matched = [kept_own[at] - start[1] for at in range(start[0], end[0]) if at in kept_own]
            first, last = (matched[0], matched[-1]) if matched else (0, -1)
            inside = [line for at, line in enumerate(theirs) if first < at < last and at not in matched]
            found += [line for line in theirs[:first] if _is_bare(line)]
            found += [line + line_break for line in written]
            found += [line for line in inside if line.strip() and _is_bare(line)]
            found += [line for line in theirs[last + 1 :] if _is_bare(line)]
        found += own[end[1] : end[1] + 1]
        start = (end[0] + 1, end[1] + 1, end[2] + 1)
    whole = "".join(line if line[-1] in "\r\n" else line + line_break for line in found)
    return whole if not own or own[-1][-1] in "\r\n" else whole.removesuffix(line_break)


def _same(one: list[str], other: list[str]) -> dict[int, int]:
    """The lines that stand in both, by their numbers."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return {start + offset: there + offset for start, there, size in blocks for offset in range(size)}


def _is_bare(line: str) -> bool:
    """Whether it holds nothing but a comment, a mark or blanks."""
    return re.match(r"\s*(#|---|\.\.\.|$)", line) is not None
