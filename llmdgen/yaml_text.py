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
from types import MappingProxyType
from typing import Any

import msgspec

_PLAIN = re.compile(r"(--|\./)?[A-Za-z/_][A-Za-z0-9_./@+=-]*(:[A-Za-z0-9_./@+=-]+)*|[0-9]+([KMGTP]i|m|s)")
# What JSON lets stand and YAML does not: controls, line ends of other alphabets, byte order marks.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
# Lines that a literal block holds as they stand: ASCII, no tabs, the first one neither empty nor indented.
_LITERAL = re.compile(r"[!-~][ -~]*(\n[ -~]*)*\n[ -~]*[!-~][ -~]*\n?")
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity", "none"])


class Text(str):
    """Text that is encoded already."""


def as_yaml(value: Any) -> Text:
    """A value in flow style, on one line: the `finalize` of YAML templates."""
    if isinstance(value, Text):
        return value
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return Text(value)
    if isinstance(value, str) and '"' in value and "'" not in value and value.isascii() and value.isprintable():
        return Text(f"'{value}'")
    if isinstance(value, float) and "e" in (number := repr(value)):
        return Text(number if "." in number else number.replace("e", ".0e"))
    return Text(_UNPRINTABLE.sub(_escaped, msgspec.json.encode(value).decode()))


def block(value: Any, indent: int = 0) -> Text:
    """A mapping or list in block style, its first line where the template stands and the others `indent` deep."""
    return Text(("\n" + " " * indent).join(_lines(value)))


def lines(text: str, indent: int) -> Text:
    """Text for a literal block (`|`), its lines `indent` deep. The text must hold no control characters."""
    first, *others = text.rstrip("\n").split("\n")
    return Text("\n".join([first, *(" " * indent + line if line else "" for line in others)]))


def dump(value: Any, comments: Mapping[tuple[str | int, ...], str] = MappingProxyType({})) -> str:
    """A whole document in block style. `comments` stand above the entries that their routes lead to."""
    return "\n".join(_lines(value, comments)) + "\n"


def sections(value: Mapping[str, Any], comments: Mapping[tuple[str | int, ...], str] = MappingProxyType({})) -> str:
    """A whole document as `dump` writes it, an empty line between the entries of the top."""
    return "\n".join(dump({key: item}, comments) for key, item in value.items())


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


def _below(comments: Mapping[tuple[str | int, ...], str], key: str | int) -> Mapping[tuple[str | int, ...], str]:
    """The comments below an entry, their routes seen from there."""
    return {route[1:]: text for route, text in comments.items() if len(route) > 1 and route[0] == key}


def _lines(value: Any, comments: Mapping[tuple[str | int, ...], str] = MappingProxyType({})) -> list[str]:
    if isinstance(value, dict) and value:
        found = []
        for key, item in value.items():
            if (key,) in comments:
                found.append(f"# {comments[key,]}")
            first, *others = _lines(item, _below(comments, key))
            if isinstance(item, dict | list | tuple) and item:
                found += [f"{as_yaml(key)}:", *_indented([first, *others])]
            else:
                found += [f"{as_yaml(key)}: {first}", *_indented(others)]
        return found
    if isinstance(value, list | tuple) and value:
        found = []
        for index, item in enumerate(value):
            if (index,) in comments:
                found.append(f"# {comments[index,]}")
            first, *others = _lines(item, _below(comments, index))
            found += [f"- {first}", *_indented(others)]
        return found
    if isinstance(value, str) and not isinstance(value, Text) and _LITERAL.fullmatch(value):
        kept = "|" if value.endswith("\n") else "|-"
        return [kept, *value.removesuffix("\n").split("\n")]
    return [as_yaml(value)]


def _indented(found: list[str]) -> list[str]:
    return [f"  {line}" if line else "" for line in found]
