"""The lines of a file kept through a round trip: what an edit did to a document's normal form, done to its own text.

The normal form is what ruamel.yaml writes of the document without an edit. Both texts have the same keys and values in
the same order, so the parser says which lines of one are which of the other. Where the normal form is the same with the
edit, the file's own lines stand, however they are laid out; else what the normal form writes takes their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import pairwise

_COMMENT = re.compile(r"( *)#")
_BARE = re.compile(r"\s*(---|\.\.\.)?\s*(#|$)")
_END = "\0"  # no line of a text


def lines_of(text: str) -> list[str]:
    """Lines with their breaks, as YAML breaks them."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def merged(text: str, before: str, after: str, line_break: str) -> str:
    """The text with the change from one normal form to the other; `line_break` ends lines that are new."""
    own, old, new = lines_of(text), before.splitlines(), after.splitlines()
    cuts = [*_cuts(own, old), (len(own), len(old)), (len(own), len(old) + 1)]
    kept = _same([*old, _END], [*new, _END])
    found, at = own[: cuts[0][0]], cuts[0][1]
    behind: list[str] = []  # bare lines below the last that are kept
    left: list[str] | None = None  # what stays of lines since then that are not
    for (start, old_start), (end, old_end) in pairwise(cuts):
        there = [kept.get(number, -1) for number in range(old_start, old_end)]
        if -1 in there or there[-1] - there[0] >= len(there):
            left = [*filter(str.strip, left or ()), *_left(own[start:end], old[old_start:old_end])]
            continue
        written = [line + line_break for line in new[at : there[0]]]
        found += [*written, *behind] if left is None else [*behind, *written, *left]
        body = max((number for number in range(start, end) if not _is_bare(own[number])), default=start - 1) + 1
        found += own[start:body]
        behind, left, at = own[body:end], None, there[-1] + 1
    whole = "".join(line if line[-1] in "\r\n" else line + line_break for line in found)
    return whole if not own or own[-1][-1] in "\r\n" else whole.removesuffix(line_break)


def _cuts(own: list[str], old: list[str]) -> Iterator[tuple[int, int]]:
    """The lines, in both texts, at which a key or value begins before which nothing else of the line or of an earlier
    one comes, comments above it included."""
    last = (-1, -1)
    for pair in zip(_starts(own), _starts(old), strict=False):
        if pair[0] > last[0] and pair[1] > last[1]:
            yield _above(own, pair[0]), _above(old, pair[1])
        last = max(last[0], pair[0]), max(last[1], pair[1])


def _starts(lines: list[str]) -> Iterator[int]:
    """The line of every key and value in its order; of nothing, which may be anywhere, none."""
    from ruamel.yaml import YAML

    for event in YAML(typ="safe", pure=True).parse("\n".join(line.rstrip("\r\n") for line in lines)):
        if getattr(event, "value", None):
            yield event.start_mark.line


def _above(lines: list[str], number: int) -> int:
    """The first of the comment lines directly above a line that stand no further right."""
    most = len(lines[number]) - len(lines[number].lstrip(" "))
    while number > 0 and (comment := _COMMENT.match(lines[number - 1])) and len(comment[1]) <= most:
        number -= 1
    return number


def _left(own: list[str], old: list[str]) -> list[str]:
    """What stays of own lines that others take the place of: comments that the normal form does not have, and the blank
    lines behind the last."""
    written = {line.strip() for line in old}
    stays = [_is_bare(line) and (not line.strip() or line.strip() not in written) for line in own]
    last = max((number for number, stay in enumerate(stays) if not stay), default=-1)
    return [line for number, line in enumerate(own) if stays[number] and (line.strip() or number > last)]


def _is_bare(line: str) -> bool:
    """Whether a line holds a comment, a mark or nothing."""
    return _BARE.match(line) is not None


def _same(one: list[str], other: list[str]) -> dict[int, int]:
    """The lines that stand in both, by their numbers."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return {start + offset: there + offset for start, there, size in blocks for offset in range(size)}
