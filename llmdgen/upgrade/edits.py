"""One document that is edited: ruamel.yaml's tree of it and its plain data, changed together.

The new text is read as a spec is read, and has to hold exactly the data that was meant and every comment of what is
still there. A layout that is too odd for that is so found out, whatever it is, and left to a person.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import msgspec

from llmdgen.findings import Route
from llmdgen.spec import document
from llmdgen.upgrade.merge import merged
from llmdgen.upgrade.tree import Comments, Tree, comments_of, is_flow, set_comments, shift

_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\r\n]*")
_KEPT: tuple[Route, ...] = (("spec",), ("spec", "prefill"))  # prefill says by being there that there is such a role


class CannotEdit(Exception):
    """The change cannot be made with everything else kept. The message says why."""


class Editor:
    """The text of one document, from its `---` on, and its plain data. `line_break` is for new lines; `moved` leads
    from a route to the one at which its value stood at first."""

    def __init__(self, text: str, line_break: str) -> None:
        self._old, self._line_break = text, line_break
        self._tree = Tree(text)
        self._before = self._tree.text()
        self._gone: Counter[str] = Counter()
        self.data: Any = _read(text)
        self.moved: dict[Route, Route] = {}

    def get(self, route: Route) -> Any:
        """The value at a route of keys, None where there is none."""
        return _at(self.data, route)

    def has(self, route: Route) -> bool:
        holder = self.get(route[:-1])
        return isinstance(holder, dict) and route[-1] in holder

    def put(self, route: Route, value: Any, before: Route = (), after: Route = ()) -> None:
        """A scalar at a route. Where the key is new it goes before the key that leads to `before` or behind the one
        that leads to `after`, else to the end; mappings on the way are made. Raises CannotEdit."""
        if self.has(route):
            holder = _at(self._tree.root, route[:-1])
            holder[route[-1]] = self._tree.scalar(value, holder[route[-1]])
        else:
            self._insert(route, self._tree.scalar(value), before, after)
        self.data = _with(self.data, route, value)

    def move(self, source: Route, target: Route, value: Any = msgspec.UNSET) -> None:
        """The entry elsewhere, its comments with it, with another scalar as its value where one is given. Raises
        CannotEdit."""
        data = self.get(source) if value is msgspec.UNSET else value
        holder = _at(self._tree.root, source[:-1])
        node = holder[source[-1]] if value is msgspec.UNSET else self._tree.scalar(value)
        comments = self._taken_along(source, target)
        self._insert(target, node, source, (), comments)
        shift(node, self._tree.step * (len(target) - len(source)))
        self._remove(source)
        self.data = _with(self.data, target, data)

    def remove(self, route: Route) -> None:
        """The document without the entry and its comments, and without a mapping that it would leave empty."""
        key = route[-1]
        holder = _at(self._tree.root, route[:-1])
        single = type(holder)({key: holder[key]})
        self._gone += _comments(self._tree.text(single))
        self._gone.update(comments_of(holder, key).lines)
        self._remove(route)

    @property
    def text(self) -> str:
        """The new text: the file's own lines where the change is none of theirs, else what ruamel.yaml writes."""
        after = self._tree.text()
        text = merged(self._old, self._before, after, self._line_break)
        return text if self._holds(text) else after.replace("\n", self._line_break)

    def check(self) -> None:
        """Raises CannotEdit where the new text would not hold what is meant, or lacks a comment that no earlier check
        missed."""
        text = self.text
        if not self._holds(text):
            raise CannotEdit("the lines around it are laid out in a way that llmdgen does not edit")
        lost = _comments(self._old) - _comments(text) - self._gone
        self._gone += lost
        if lost:
            raise CannotEdit(f"the comment {next(iter(lost))!r} would be lost")

    def _holds(self, text: str) -> bool:
        reading = document.read(text, "")
        read = [each.data for each in reading.documents]
        return not reading.findings and len(read) == 1 and _canonical(read[0]) == _canonical(self.data)

    def _insert(
        self, route: Route, node: Any, before: Route = (), after: Route = (), comments: Comments | None = None
    ) -> None:
        depth = len(route) - 1
        while not isinstance(self.get(route[:depth]), dict):
            if self.has(route[:depth]):
                raise CannotEdit(f"{'.'.join(map(str, route[:depth]))} is not a mapping")
            depth -= 1
        holder = _at(self._tree.root, route[:depth])
        keys = list(holder)
        at = len(keys)
        for other, behind in ((before, 0), (after, 1)):
            if other[:depth] == route[:depth] and len(other) > depth and other[depth] in holder:
                at = keys.index(other[depth]) + behind
        quote = self._tree.quote
        for key in reversed(route[depth + 1 :]):
            node = type(holder)({quote(key): node})
            if is_flow(holder):
                node.fa.set_flow_style()
        holder.insert(at, quote(route[depth]), node)
        if comments is not None:
            self._hang(route, comments)

    def _hang(self, route: Route, comments: Comments) -> None:
        """Comments on a new entry, or above the line of the brackets that it stands between."""
        holders = [_at(self._tree.root, route[:depth]) for depth in range(len(route))]
        depth = next((depth for depth, holder in enumerate(holders) if is_flow(holder)), len(route))
        if depth == len(route):
            set_comments(holders[-1], route[-1], comments, self._tree.step * (depth - 1))
        elif depth == 0 and comments.lines:
            raise CannotEdit("a comment would have to stand between brackets")
        elif comments.lines:
            holder, key = holders[depth - 1], route[depth - 1]
            own = comments_of(holder, key)
            both = Comments([*own.above, *comments.lines], own.at_end)
            set_comments(holder, key, both, self._tree.step * (depth - 1))

    def _taken_along(self, source: Route, target: Route) -> Comments:
        """The comments of an entry, and of mappings that will be gone when it has moved."""
        holder = _at(self._tree.root, source[:-1])
        comments = comments_of(holder, source[-1])
        while len(holder) == 1 and source[:-1] not in _KEPT and target[: len(source) - 1] != source[:-1]:
            source = source[:-1]
            holder = _at(self._tree.root, source[:-1])
            comments = Comments([*comments_of(holder, source[-1]).lines, *comments.above], comments.at_end)
            holder.ca.items.pop(source[-1], None)
        return comments

    def _remove(self, route: Route) -> None:
        holder = _at(self._tree.root, route[:-1])
        del holder[route[-1]]
        holder.ca.items.pop(route[-1], None)
        self.data = _without(self.data, route)
        if holder:
            return
        if route[:-1] in _KEPT or comments_of(_at(self._tree.root, route[:-2]), route[-2]).lines:
            holder.fa.set_flow_style()
        else:
            self._remove(route[:-1])


def _read(text: str) -> Any:
    (parsed,) = document.read(text, "").documents
    return parsed.data


def _comments(text: str) -> Counter[str]:
    """Every comment of a text, as often as it stands there."""
    from ruamel.yaml import YAML

    rest, at = "", 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if type(event).__name__ == "ScalarEvent":  # may hold what looks like one
            rest += text[at : event.start_mark.index]
            at = event.end_mark.index
    return Counter(found.rstrip() for found in _COMMENT.findall(rest + text[at:]))


def _at(data: Any, route: Route) -> Any:
    for key in route:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _canonical(data: Any) -> bytes:
    return msgspec.json.encode(data, order="sorted")


def _with(data: Any, route: Route, value: Any) -> Any:
    if not route:
        return value
    inner = data if isinstance(data, dict) else {}
    return {**inner, route[0]: _with(inner.get(route[0]), route[1:], value)}


def _without(data: Any, route: Route) -> Any:
    if len(route) == 1:
        return {key: value for key, value in data.items() if key != route[0]}
    return {**data, route[0]: _without(data[route[0]], route[1:])}
