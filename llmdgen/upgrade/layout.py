"""Where the parts of a YAML document start and end in its text, to the character.

The parser says where things start, and of most where they end. A block mapping ends for it only where the next thing
begins, comments in between included; here it ends with the last character of its last value.
"""

from __future__ import annotations

from typing import Any

from llmdgen.findings import Route

_BREAKS = "\r\n"


class CannotEdit(Exception):
    """The text has a layout in which the change cannot be made with everything else kept. The message says why."""


class Layout:
    """The nodes of a text that holds one document. Offsets count characters of `text`, from 0."""

    def __init__(self, text: str) -> None:
        from ruamel.yaml import YAML

        self.text = text
        self.root: Any = YAML(typ="safe", pure=True).compose(text)

    def node(self, route: Route) -> Any:
        """The node of a value, None where there is none."""
        found = self.root
        for part in route:
            if not isinstance(getattr(found, "value", None), list):
                return None
            if is_mapping(found):
                found = next((value for key, value in found.value if key.value == part), None)
            else:
                found = found.value[part] if isinstance(part, int) and part < len(found.value) else None
        return found

    def pair(self, route: Route) -> tuple[Any, int]:
        """The mapping that holds the last key of a route, and the number of that key in it. Raises CannotEdit."""
        mapping = self.node(route[:-1])
        for index, (key, _) in enumerate(mapping.value if mapping is not None and is_mapping(mapping) else ()):
            if key.value == route[-1]:
                return mapping, index
        raise CannotEdit(f"{'.'.join(map(str, route))} is not in the file")

    def end(self, node: Any) -> int:
        """The offset behind the last character of a value that is not empty; what follows may be a comment."""
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        if is_block(node) and node.value:
            return self.entry_end(*node.value[-1]) if is_mapping(node) else self.end(node.value[-1])
        if not is_collection(node) and node.style in ("|", ">"):
            return start + len(self.text[start:end].rstrip())
        return end

    def entry_end(self, key: Any, value: Any) -> int:
        """The same of a key with its value, which may be empty."""
        if not is_collection(value) and not value.style and not value.value:
            return self.text.find(":", key.end_mark.index) + 1
        return self.end(value)

    def line_start(self, offset: int) -> int:
        """The offset of the first character of the line."""
        while offset > 0 and self.text[offset - 1] not in _BREAKS:
            offset -= 1
        return offset

    def line_end(self, offset: int) -> int:
        """The offset of the line's break, or of the end of the text."""
        while offset < len(self.text) and self.text[offset] not in _BREAKS:
            offset += 1
        return offset

    def next_line(self, offset: int) -> int:
        """The offset behind the line's break, or of the end of the text."""
        end = self.line_end(offset)
        return end + len(self.line_break(end))

    def line_break(self, end: int) -> str:
        """The break at the end of a line; empty at the end of the text."""
        return self.text[end : end + 2] if self.text.startswith("\r\n", end) else self.text[end : end + 1]

    def lines_of(self, key: Any, value: Any) -> tuple[int, int]:
        """The whole lines of an entry of a block mapping, comments at their ends included. Raises CannotEdit where it
        shares one of them."""
        start, end = self.line_start(key.start_mark.index), self.entry_end(key, value)
        rest = self.text[end : self.line_end(end)].strip()
        if self.text[start : key.start_mark.index].strip() or (rest and not rest.startswith("#")):
            raise CannotEdit(f"{key.value} shares its line with something else")
        return start, self.next_line(end)

    def comments_above(self, key: Any) -> int:
        """The offset where the comment lines directly above a key begin, those of its own indentation; without any,
        where its line does."""
        start = self.line_start(key.start_mark.index)
        while start > 0:
            above = self.line_start(start - len(self._break_before(start)))
            line = self.text[above : self.line_end(above)]
            if not line.startswith(" " * key.start_mark.column + "#"):
                break
            start = above
        return start

    def _break_before(self, start: int) -> str:
        return "\r\n" if self.text.endswith("\r\n", 0, start) else self.text[start - 1 : start]


def is_mapping(node: Any) -> bool:
    return bool(type(node).__name__ == "MappingNode")


def is_collection(node: Any) -> bool:
    return isinstance(node.value, list)


def is_block(node: Any) -> bool:
    """Whether a collection is written as lines, rather than in brackets."""
    return is_collection(node) and not node.flow_style
