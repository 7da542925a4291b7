"""Values of load balancer annotations, each judged by the kind that the facts give it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.suggest import did_you_mean

Wrong = tuple[str, str]
"""What is wrong with a value, and what to write."""
_LISTS = ("list", "arns", "cidrs", "ports", "ipv4", "ipv6")


def wrong(value: str, entry: dict[str, Any], facts: dict[str, Any]) -> Iterator[Wrong]:
    """What the controller or the AWS API would refuse in an annotation's value. Unknown attributes are not judged."""
    if not value.strip():
        yield "the value is empty", "give it a value, or leave the annotation out"
    elif entry["kind"] in ("map", "attributes"):
        yield from _map(value, entry, facts)
    else:
        for part in items(value) if entry["kind"] in _LISTS else [value]:
            yield from _of_kind(part, entry, facts)


def pairs(value: str) -> list[tuple[str, str]]:
    """The k=v pairs of a value; a part without "=" has an empty value."""
    found = (part.partition("=") for part in value.split(",") if part.strip())
    return [(key.strip(), text.strip()) for key, _, text in found]


def items(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _map(value: str, entry: dict[str, Any], facts: dict[str, Any]) -> Iterator[Wrong]:
    for part in items(value):
        if "=" not in part or part.startswith("="):
            hint = ", with = between name and value" if ":" in part else ""
            yield f"'{part}' is not of the form name=value", f"write name=value,name=value{hint}"
            return
    names = [name for name, _ in pairs(value)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name} stands in it twice", "keep one"
    if entry["kind"] == "attributes":
        known = facts["attributes"][entry["of"]]
        for name, text in pairs(value):
            if name in known and text:
                for says, fix in _of_kind(text, known[name], facts):
                    yield f"{name}: {says}", fix
            elif name not in known and did_you_mean(name, known, listed_up_to=0):
                yield f"there is no attribute {name}", did_you_mean(name, known, listed_up_to=0)


def _of_kind(text: str, entry: dict[str, Any], facts: dict[str, Any]) -> Iterator[Wrong]:
    """What is wrong with a value, or with one of a list."""
    kind, starts, pattern = entry["kind"], entry.get("starts", ""), facts["patterns"].get(entry["kind"])
    listed = kind in _LISTS
    if kind == "choice":
        known = entry["choices"]
        if text not in known and not (entry.get("any_case") and text.lower() in known):
            yield f"'{text}' is not one of its values", did_you_mean(text, known)
    elif kind == "integer":
        least, most = entry["least"], entry["most"]
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            fix = f'write such as "{least}", in quotes and without a unit'
            yield f"'{text}' is not a whole number from {least} to {most}", fix
    elif listed and " " in text:
        yield f"'{text}' holds a space", "separate the items with commas"
    elif listed and set(text) & set("[]{}\"';"):
        yield f"'{text}' is not an item of a list", "write item,item, without brackets and quotes"
    elif len(text) > entry.get("longest", len(text)):
        yield f"it has {len(text)} characters, {entry['longest']} are allowed", "shorten it"
    elif not text.startswith(starts):
        fix = "list ids, separated by commas" if listed else f"write {starts}..."
        yield f"'{text}' does not start with {starts}", fix
    elif kind in ("cidrs", "ipv4", "ipv6"):
        yield from _network(text, kind)
    elif pattern and not re.fullmatch(pattern["pattern"], text):
        yield f"'{text}' is {pattern['says']}", pattern["fix"]


def _network(text: str, kind: str) -> Iterator[Wrong]:
    """What is wrong with a CIDR, or with an address of that version."""
    from ipaddress import ip_network

    try:
        given = ip_network(text, strict=False)
    except ValueError:
        given = None
    if kind != "cidrs":
        if given is None or "/" in text or kind != f"ipv{given.version}":
            yield f"'{text}' is not an IPv{kind[-1]} address", "list addresses, one for each subnet"
    elif given is None:
        yield f"'{text}' is not a CIDR", "write such as 10.0.0.0/8, separated by commas"
    elif "/" not in text:
        yield f"'{text}' has no prefix length", f"write {given}"
    elif str(given.network_address) != text.partition("/")[0]:
        yield f"'{text}' has bits set behind its prefix", f"write {given}"
