"""Values as YAML text that every parser reads back as the same value.

A string is written plain only where it is a word, a flag or a size to every YAML version. Whatever YAML 1.1 or 1.2
could take for something else (no, 1e3, 0x10, 12:30, ~) and whatever holds a character with a meaning is written as a
JSON string, which is YAML; text with double quotes of its own, such as a JSON flag, in single quotes, which only the
single quote can end. So no value can leave its place, whatever it holds. Numbers in exponent form get the point that
YAML 1.1 asks for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec

_PLAIN = re.compile(r"(--|\./)?[A-Za-z/_][A-Za-z0-9_./@+=-]*(:[A-Za-z0-9_./@+=-]+)*|[0-9]+([KMGTP]i|m|s)")
# What JSON lets stand and YAML does not: controls, line ends of other alphabets, byte order marks.
_UNPRINTABLE = "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
# Lines that a literal block holds as they stand: ASCII, no tabs, the first one neither empty nor indented.
_LITERAL = re.compile(r"[!-~][ -~]*(\n[ -~]*)*\n[ -~]*[!-~][ -~]*\n?")
_COLLECTIONS = (dict, list, tuple)
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity", "none"])


class Text(str):
    """Text that is encoded already."""


def as_yaml(value: Any) -> Text:
    """A value in flow style, on one line: the `finalize` of YAML templates."""
    if type(value) is str:
        return _scalar(value)
    if isinstance(value, Text):
        return value
    if isinstance(value, str):
        return _scalar(str(value))
    if type(value) is int:
        return Text(value)
    if isinstance(value, float) and "e" in (number := repr(value)):
        return Text(number if "." in number else number.replace("e", ".0e"))
    return _json(value)


@lru_cache(4096)  # the files of many targets say the same words
def _scalar(text: str) -> Text:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return Text(text)
    if '"' in text and "'" not in text and text.isascii() and text.isprintable():
        return Text(f"'{text}'")
    return _json(text)


def _json(value: Any) -> Text:
    text = msgspec.json.encode(value).decode()
    # The pattern takes longer to compile than most renders have to write.
    return Text(text if text.isascii() and text.isprintable() else re.sub(_UNPRINTABLE, _escaped, text))


def block(value: Any, indent: int = 0) -> Text:
    """A mapping or list in block style, its first line where the template stands and the others `indent` deep."""
    found: list[str] = []
    _write(found, value, " " * indent, NO_COMMENTS)
    return Text("\n".join(found)[indent:])


Comments = Mapping[tuple[str | int, ...], str]
"""What stands above the entries to which routes lead."""

NO_COMMENTS: Comments = MappingProxyType({})


def dump(value: Any, comments: Comments = NO_COMMENTS) -> str:
    """A whole document in block style."""
    found: list[str] = []
    _write(found, value, "", comments)
    return "\n".join(found) + "\n"


def sections(value: Mapping[str, Any], comments: Comments = NO_COMMENTS) -> str:
    """A whole document as `dump` writes it, an empty line between the entries of the top."""
    return "\n".join(dump({key: item}, comments) for key, item in value.items())


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


def _below(comments: Comments, key: str | int) -> Comments:
    """The comments below an entry, their routes seen from there."""
    if not comments:
        return comments
    return {route[1:]: text for route, text in comments.items() if len(route) > 1 and route[0] == key}


def _write(found: list[str], value: Any, indent: str, comments: Comments) -> None:
    """Add the lines of a value in block style, each with its indent."""
    if not value or not isinstance(value, _COLLECTIONS):
        found.append(indent + _inline(value, indent or "  "))
        return
    is_mapping = isinstance(value, dict)
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if (key,) in comments:
            found.append(f"{indent}# {comments[key,]}")
        start, first = f"{indent}{as_yaml(key)}:" if is_mapping else f"{indent}-", len(found)
        if not item or not isinstance(item, _COLLECTIONS):
            found.append(f"{start} {_inline(item, indent + '  ')}")
            continue
        if is_mapping:
            found.append(start)
        _write(found, item, indent + "  ", _below(comments, key))
        if not is_mapping:  # the first line of an item of a list stands behind its dash
            found[first] = f"{start} {found[first][len(indent) + 2 :]}"


def _inline(value: Any, indent: str) -> str:
    """A value that begins on the line of its key; the lines of a literal block are `indent` deep."""
    if type(value) is str and "\n" not in value:
        return _scalar(value)
    if isinstance(value, str) and "\n" in value and not isinstance(value, Text) and _LITERAL.fullmatch(value):
        kept = "|" if value.endswith("\n") else "|-"
        return "\n".join([kept, *(indent + line if line else "" for line in value.removesuffix("\n").split("\n"))])
    return as_yaml(value)
