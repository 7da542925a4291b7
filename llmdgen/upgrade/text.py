"""Changes of one kind each to a document's text: an entry taken, put, removed, renamed, given another value.

Each takes a `Layout` and returns the new text. They keep every character that they have no reason to touch: comments,
order, quotes, blank lines and line breaks. What they cannot do so raises CannotEdit. That the new text means what it
should is asked by `edits`, once, for all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from llmdgen.findings import Route
from llmdgen.spec.scalars import NotANumber, resolve
from llmdgen.upgrade.layout import CannotEdit, Layout, is_block, is_mapping

_PLAIN = re.compile(r"[A-Za-z_/.][\w./@+-]*")
_COMMENT_INSIDE = re.compile(r"(?:^|\s)#[^\r\n]*[\r\n]")
_KEPT_DEPTH = 2  # spec.prefill says by being there that there is such a role, so it stays when it is empty


class Entry(Struct, frozen=True, kw_only=True):
    """A key with its value as text, on its way to a place.

    `tail` is all behind the key: the colon and the value, further lines as they were indented below the key at
    `column`. `comment` is the one at the end, with the space before it; `above` are comment lines that belong to it,
    without indentation.
    """

    key: str
    tail: str
    column: int = 0
    above: tuple[str, ...] = ()
    comment: str = ""

    @property
    def inline(self) -> str:
        """The tail where it can stand between brackets. Raises CannotEdit."""
        value = self.tail[1:].strip()
        if _COMMENT_INSIDE.search(value):
            raise CannotEdit(f"{self.key} has a comment inside, and would have to stand between brackets")
        return f": {value}"

    @property
    def comments(self) -> tuple[str, ...]:
        return (*self.above, *([self.comment.strip()] if self.comment else ()))


def take(layout: Layout, route: Route, key: str, value: str | None = None) -> Entry:
    """The entry at a route under a new key, its comments with it; with another value (as text) where one is given."""
    mapping, index = layout.pair(route)
    old, node = mapping.value[index]
    end = layout.entry_end(old, node)
    if not is_block(mapping):
        tail = layout.text[old.end_mark.index : end] if value is None else f": {value}"
        return Entry(key=key, tail=tail.lstrip())
    layout.lines_of(old, node)
    rest = layout.text[end : layout.line_end(end)]
    tail = layout.text[old.end_mark.index : end] if value is None else f": {value}"
    above = layout.text[layout.comments_above(old) : layout.line_start(old.start_mark.index)].splitlines()
    return Entry(
        key=key,
        tail=tail.lstrip(),
        column=old.start_mark.column,
        above=tuple(line.strip() for line in above),
        comment=rest.rstrip() if rest.strip() else "",
    )


def scalar(value: Any, quote: str | None = None) -> str:
    """A value in YAML, in quotes of the given kind or where it would be read as something else."""
    if isinstance(value, str):
        if quote == "'" and value.isprintable():
            return "'" + value.replace("'", "''") + "'"
        if quote is None and _PLAIN.fullmatch(value) and _is_text(value):
            return value
    return json.dumps(value, ensure_ascii=False)


def put(
    layout: Layout, line_break: str, route: Route, entry: Entry, before: Route | None = None, after: Route | None = None
) -> str:
    """The entry at its new route; mappings on the way there are made. It goes before or after the key of the innermost
    of those that are there already that leads to `before` or `after`, else to the end."""
    depth = len(route) - 1
    while layout.node(route[:depth]) is None:
        depth -= 1
    holder = layout.node(route[:depth])
    if not is_mapping(holder):
        raise CannotEdit(f"{'.'.join(map(str, route[:depth]))} is not a mapping")
    missing = [str(part) for part in route[depth:-1]]
    at, is_before = len(holder.value) - 1, False
    for other, wants_before in ((before, True), (after, False)):
        if other is not None and other[:depth] == route[:depth] and len(other) > depth:
            at, is_before = layout.pair(other[: depth + 1])[1], wants_before
    if not is_block(holder):
        text = _put_in_brackets(layout, line_break, holder, [*missing, entry.key], entry.inline, at, is_before)
        return _with_comments(layout, line_break, text, route, entry.comments)
    key, value = holder.value[at]
    start, end = layout.lines_of(key, value)
    column = holder.value[0][0].start_mark.column
    lines = _lines(layout, column, missing, entry, key.style)
    own_break = layout.line_break(layout.line_end(start)) or line_break
    text = own_break.join(lines) + own_break
    # Behind a last line without a break that line would change too.
    if is_before or not layout.line_break(layout.line_end(layout.entry_end(key, value))):
        end = layout.comments_above(key)
    return layout.text[:end] + text + layout.text[end:]


def remove(layout: Layout, route: Route) -> tuple[str, Route]:
    """The text without an entry and the comments that belong to it, and the route that is gone: that of a mapping which
    would be left empty, unless it has comments of its own."""
    mapping, index = layout.pair(route)
    key, value = mapping.value[index]
    text = layout.text
    if not is_block(mapping):
        return _remove_from_brackets(layout, route, mapping, index)
    start, end = layout.comments_above(key), layout.lines_of(key, value)[1]
    if len(mapping.value) > 1:
        return text[:start] + text[end:], route
    holder, at = layout.pair(route[:-1])
    colon = text.find(":", holder.value[at][0].end_mark.index) + 1
    if _is_kept(layout, route[:-1]) or "#" in text[colon:start]:
        return f"{text[:colon]} {{}}{text[colon:start]}{text[end:]}", route
    return remove(layout, route[:-1])


def rename(layout: Layout, route: Route, name: str) -> str:
    """Another key for the same value, quoted as the old one."""
    mapping, index = layout.pair(route)
    key = mapping.value[index][0]
    return layout.text[: key.start_mark.index] + scalar(name, key.style) + layout.text[key.end_mark.index :]


def replace(layout: Layout, route: Route, value: Any) -> str:
    """Another scalar for the same key, quoted as the old one."""
    mapping, index = layout.pair(route)
    node = mapping.value[index][1]
    if not isinstance(node.value, str) or node.style in ("|", ">"):
        raise CannotEdit(f"{'.'.join(map(str, route))} is not written on one line")
    return layout.text[: node.start_mark.index] + scalar(value, node.style) + layout.text[node.end_mark.index :]


def _lines(layout: Layout, column: int, missing: Sequence[str], entry: Entry, quote: str | None) -> list[str]:
    """The lines of an entry below the mappings that have to be made for it."""
    step = _step(layout)
    lines = [f"{' ' * (column + step * depth)}{scalar(name, quote)}:" for depth, name in enumerate(missing)]
    column += step * len(missing)
    lines += [" " * column + comment for comment in entry.above]
    first, *more = re.split(r"\r\n|\r|\n", entry.tail)
    lines += [f"{' ' * column}{scalar(entry.key, quote)}{first}", *(_moved(line, column, entry) for line in more)]
    return [*lines[:-1], lines[-1] + entry.comment]


def _moved(line: str, column: int, entry: Entry) -> str:
    """A further line of an entry, as far below its key as it was."""
    by = column - entry.column
    if by >= 0 or not line.strip():
        return " " * by + line if line.strip() else line
    if line[:-by].strip():
        raise CannotEdit(f"a line of {entry.key} is indented less than its key")
    return line[-by:]


def _step(layout: Layout) -> int:
    """How far the spec indents."""
    spec = layout.node(("spec",))
    inner = spec.value[0][0].start_mark.column if is_block(spec) else 0
    return max(1, int(inner) - int(layout.root.value[0][0].start_mark.column)) if inner else 2


def _put_in_brackets(
    layout: Layout, line_break: str, holder: Any, keys: Sequence[str], tail: str, at: int, is_before: bool
) -> str:
    text = layout.text
    quote = (holder.value or layout.root.value)[0][0].style
    *outer, last = (scalar(key, quote) for key in keys)
    entry = "".join(f"{key}: {{" for key in outer) + last + tail + "}" * len(outer)
    if not holder.value:
        start = holder.start_mark.index + 1
        return text[:start] + entry + text[start:]
    if not is_before and at + 1 < len(holder.value):
        at, is_before = at + 1, True
    key, value = holder.value[at]
    begins = layout.line_start(key.start_mark.index)
    indentation = text[begins : key.start_mark.index]
    has_own_line = not indentation.strip() and begins > holder.start_mark.index
    if is_before and has_own_line:
        above = layout.comments_above(key)
        own_break = layout.line_break(layout.line_end(begins)) or line_break
        return f"{text[:above]}{indentation}{entry},{own_break}{text[above:]}"
    if is_before:
        return f"{text[: key.start_mark.index]}{entry}, {text[key.start_mark.index :]}"
    end = layout.end(value)
    line = layout.line_end(end)
    if has_own_line and re.fullmatch(r",?[ \t]*(#.*)?", text[end:line]):
        comma = "" if text[end : end + 1] == "," else ","
        own_break = layout.line_break(line) or line_break
        return f"{text[:end]}{comma}{text[end:line]}{own_break}{indentation}{entry}{text[line:]}"
    return f"{text[:end]}, {entry}{text[end:]}"


def _with_comments(layout: Layout, line_break: str, text: str, route: Route, comments: Sequence[str]) -> str:
    """The text with the comments of an entry that now stands between brackets, above the line where they open."""
    if not comments:
        return text
    depth = next(depth for depth in range(len(route)) if not is_block(layout.node(route[:depth])))
    if depth == 0:
        raise CannotEdit("a comment would have to stand between brackets")
    mapping, index = layout.pair(route[:depth])
    start = layout.lines_of(*mapping.value[index])[0]
    own_break = layout.line_break(layout.line_end(start)) or line_break
    column = " " * mapping.value[index][0].start_mark.column
    return text[:start] + "".join(f"{column}{comment}{own_break}" for comment in comments) + text[start:]


def _remove_from_brackets(layout: Layout, route: Route, mapping: Any, index: int) -> tuple[str, Route]:
    text = layout.text
    key, value = mapping.value[index]
    start, end = int(key.start_mark.index), layout.end(value)
    inside = slice(mapping.start_mark.index + 1, mapping.end_mark.index - 1)
    if len(mapping.value) == 1:
        _refuse_comment(text[inside.start : start] + text[end : inside.stop])
        holder, _ = layout.pair(route[:-1])
        rest = text[mapping.end_mark.index : layout.line_end(mapping.end_mark.index)]
        if not _is_kept(layout, route[:-1]) and not (is_block(holder) and rest.strip()):
            return remove(layout, route[:-1])
        return text[: inside.start] + text[inside.stop :], route
    if index + 1 < len(mapping.value):
        following = int(mapping.value[index + 1][0].start_mark.index)
        _refuse_comment(text[end:following])
        return text[:start] + text[following:], route
    before = layout.entry_end(*mapping.value[index - 1])
    _refuse_comment(text[before:start])
    return text[:before] + text[end:], route


def _is_kept(layout: Layout, route: Route) -> bool:
    """Whether a mapping stays, as {}, when nothing is left in it."""
    if len(route) <= _KEPT_DEPTH:
        return True
    mapping, index = layout.pair(route)
    key = mapping.value[index][0]
    return is_block(mapping) and layout.comments_above(key) != layout.line_start(key.start_mark.index)


def _refuse_comment(text: str) -> None:
    if "#" in text:
        raise CannotEdit("a comment stands between the brackets")


def _is_text(value: str) -> bool:
    try:
        return isinstance(resolve(value), str)
    except NotANumber:
        return False
