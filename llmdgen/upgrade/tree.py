"""A document as ruamel.yaml's round trip holds it, told from its text and written back.

Plain scalars stay the text that they are: this side never asks what they mean. ruamel hangs a comment on what stands
before it, people write it about what stands below; here a comment belongs to the key that it is directly above, or at
the end of whose line it is, and moves and goes with it. Other comments and blank lines are not in the tree: `merge`
keeps those of the file.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from llmdgen.spec.scalars import NotANumber, resolve

_PLAIN = re.compile(r"[A-Za-z_/.][\w./@+-]*")
_NO_LIMIT = 1 << 30
_AT_END = {True: 2, False: 0}  # where ruamel keeps the comment at the end of an entry's line: of a mapping, of a list
_ABOVE = 1


class Comments(NamedTuple):
    """Those of one entry: lines above it, and ruamel's token for the one at its end, None where there is none."""

    above: list[str]
    at_end: Any

    @property
    def lines(self) -> list[str]:
        return [*self.above, *([self.at_end.value.strip()] if self.at_end else ())]


class Tree:
    """`root` is a CommentedMap, whose scalars are text. `step` is how far the document indents; `quote` the type of
    its keys, which JSON has in quotes."""

    def __init__(self, text: str) -> None:
        lines = re.split(r"\r\n|\r|\n", text.rstrip())
        self._yaml = _yaml()
        self.root: Any = self._yaml.load("\n".join(lines))
        self.quote = type(next(iter(self.root)))
        self.step = _step(self.root)
        self._yaml.indent(mapping=self.step)
        self._is_json = len(lines) > 1 and _is_json(text)
        _hang(self.root, lines)

    def text(self, root: Any = None) -> str:
        """The tree, or a part of it, as text, long lines whole. JSON of several lines stays that."""
        written = io.StringIO()
        self._yaml.dump(self.root if root is None else root, written)
        if not self._is_json or root is not None:
            return written.getvalue()
        return json.dumps(json.loads(written.getvalue()), indent=self.step, ensure_ascii=False) + "\n"

    def scalar(self, value: Any, like: Any = None) -> Any:
        """A value as the tree holds it, in the quotes of another where that has some."""
        from ruamel.yaml.scalarstring import DoubleQuotedScalarString, ScalarString

        if not isinstance(value, str):
            return json.dumps(value)
        if isinstance(like, ScalarString) and "\n" not in like:
            return type(like)(value)
        if self.quote is not str:
            return self.quote(value)
        return value if scalar(value) == value else DoubleQuotedScalarString(value)


def scalar(value: Any) -> str:
    """A value in YAML, in quotes where it would be read as something else."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and _is_text(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def is_flow(node: Any) -> bool:
    return bool(node.fa.flow_style())


def comments_of(holder: Any, key: Any) -> Comments:
    """The comments that belong to an entry."""
    slots = holder.ca.items.get(key) or [None] * 4
    above = [token.value.strip() for token in slots[_ABOVE] or ()]
    return Comments(above, slots[_AT_END[hasattr(holder, "keys")]])


def set_comments(holder: Any, key: Any, comments: Comments, column: int) -> None:
    """Hang comments on an entry whose key stands at a column, in place of those that it has."""
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    slots: list[Any] = [None] * 4
    slots[_ABOVE] = [CommentToken(f"{line}\n", CommentMark(column)) for line in comments.above] or None
    slots[_AT_END[hasattr(holder, "keys")]] = comments.at_end
    holder.ca.items[key] = slots
    value = holder[key]
    if hasattr(value, "fa"):
        value.ca.comment = [comments.at_end, None]


def shift(node: Any, by: int) -> None:
    """Move every comment below a node to the side, as its lines are."""
    for holder, key in _entries(node):
        comments = comments_of(holder, key)
        if comments.above:
            column = holder.ca.items[key][_ABOVE][0].start_mark.column
            set_comments(holder, key, comments, max(0, column + by))


def _yaml() -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.resolver import VersionedResolver

    class Text(VersionedResolver):
        """Every plain scalar is text, so that it is written as it was read."""

        @property
        def versioned_resolver(self) -> dict[str, Any]:
            return {}

    yaml = YAML()
    yaml.Resolver = Text
    yaml.preserve_quotes = True
    yaml.width = _NO_LIMIT
    return yaml


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _step(root: Any) -> int:
    """How far the keys of `spec` stand to its right, 2 where they are on its line or there are none."""
    spec = root.get("spec")
    if not spec or not hasattr(spec, "keys"):
        return 2
    (line, column), (inner_line, inner) = root.lc.key("spec"), spec.lc.key(next(iter(spec)))
    return max(1, int(inner - column)) if inner_line > line else 2


def _entries(node: Any, in_flow: bool = False) -> Iterator[tuple[Any, Any]]:
    """The entries of a node and of what is below, those between brackets only where asked for."""
    if not hasattr(node, "fa") or (is_flow(node) and not in_flow):
        return
    for key in list(node.keys()) if hasattr(node, "keys") else range(len(node)):
        yield node, key
        yield from _entries(node[key], in_flow)


def _hang(root: Any, lines: list[str]) -> None:
    """Give each comment to the entry that it is about. Those between brackets have no place in the tree."""
    found = [(*entry, *_comments_at(*entry, lines)) for entry in _entries(root)]
    for holder, key in _entries(root, in_flow=True):
        for node in (holder, holder[key]):
            if hasattr(node, "fa"):
                node.ca.items.clear()
                node.ca.comment, node.ca.end = None, []
    for each in found:
        set_comments(*each)


def _comments_at(holder: Any, key: Any, lines: list[str]) -> tuple[Comments, int]:
    """The comments of an entry in the lines, and the column at which its line begins."""
    from ruamel.yaml.scalarstring import FoldedScalarString, LiteralScalarString

    is_mapping = hasattr(holder, "keys")
    line, column = holder.lc.key(key) if is_mapping else holder.lc.item(key)
    at_end = (holder.ca.items.get(key) or [None] * 4)[_AT_END[is_mapping]]
    if at_end is None or not at_end.value.startswith("#"):
        at_end = None
    elif isinstance(holder[key], (FoldedScalarString, LiteralScalarString)):
        at_end = None  # it stands below
    else:
        at_end.value = at_end.value.split("\n")[0] + "\n"
    start = len(lines[line]) - len(lines[line].lstrip())
    above: list[str] = []
    if not is_mapping or start == column:  # else it is the first key of a list's item, and comments are the item's
        for before in reversed(lines[:line]):
            if not re.match(rf" {{0,{start}}}#", before):
                break
            above.insert(0, before.strip())
    return Comments(above, at_end), start


def _is_text(value: str) -> bool:
    try:
        return isinstance(resolve(value), str)
    except NotANumber:
        return False
