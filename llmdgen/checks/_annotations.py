"""Values of load balancer annotations, each judged by the kind that the facts give it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.suggest import did_you_mean

Wrong = tuple[str, str]
"""What is wrong with a value, and what to write."""
_ADDRESSES = {"ipv4": 4, "ipv6": 6}
_LISTS = ("list", "arns", "cidrs", "ports", *_ADDRESSES)


def wrong(value: str, entry: dict[str, Any], facts: dict[str, Any]) -> Iterator[Wrong]:
    """What the controller or the AWS API would refuse in an annotation's value. Unknown attributes are not judged."""
    kind = entry["kind"]
    if not value.strip():
        yield "the value is empty", "give it a value, or leave the annotation out"
    elif kind in ("map", "attributes"):
        yield from _map(value, entry, facts)
    elif kind in _LISTS:
        yield from _list(value, entry, facts)
    else:
        yield from _scalar(value, entry, facts)


def pairs(value: str) -> list[tuple[str, str]]:
    """The k=v pairs of a value; a part without "=" has an empty value."""
    found = (part.partition("=") for part in value.split(",") if part.strip())
    return [(key.strip(), text.strip()) for key, _, text in found]


def items(value: str) -> list[str]:
    """The parts of a comma-separated value."""
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
                for says, fix in _scalar(text, known[name], facts):
                    yield f"{name}: {says}", fix
            elif name not in known and did_you_mean(name, known, listed_up_to=0):
                yield f"there is no attribute {name}", did_you_mean(name, known, listed_up_to=0)


def _list(value: str, entry: dict[str, Any], facts: dict[str, Any]) -> Iterator[Wrong]:
    for part in items(value):
        if " " in part:
            yield f"'{part}' holds a space", "separate the items with commas"
        elif set(part) & set("[]{}\"';"):
            yield f"'{part}' is not an item of a list", "write item,item, without brackets and quotes"
        elif not part.startswith(entry.get("starts", "")):
            yield f"'{part}' does not start with {entry['starts']}", "list ids, separated by commas"
        elif entry["kind"] == "cidrs":
            yield from _cidr(part)
        elif entry["kind"] in _ADDRESSES:
            yield from _address(part, _ADDRESSES[entry["kind"]])
        else:
            yield from _of_kind(part, entry["kind"], facts)


def _of_kind(text: str, kind: str, facts: dict[str, Any]) -> Iterator[Wrong]:
    """A text that the pattern of its kind does not fit; most kinds have none."""
    of = facts["patterns"].get(kind)
    if of and not re.fullmatch(of["pattern"], text):
        yield f"'{text}' is {of['says']}", of["fix"]


def _cidr(part: str) -> Iterator[Wrong]:
    from ipaddress import ip_network

    try:
        given = ip_network(part, strict=False)
    except ValueError:
        yield f"'{part}' is not a CIDR", "write such as 10.0.0.0/8, separated by commas"
        return
    if "/" not in part:
        yield f"'{part}' has no prefix length", f"write {given}"
    elif str(given.network_address) != part.partition("/")[0]:
        yield f"'{part}' has bits set behind its prefix", f"write {given}"


def _address(part: str, version: int) -> Iterator[Wrong]:
    from ipaddress import ip_address

    try:
        fits = ip_address(part).version == version
    except ValueError:
        fits = False
    if not fits:
        yield f"'{part}' is not an IPv{version} address", "list addresses, one for each subnet"


def _scalar(value: str, entry: dict[str, Any], facts: dict[str, Any]) -> Iterator[Wrong]:
    kind = entry["kind"]
    if kind == "choice":
        known = entry["choices"]
        if value not in known and not (entry.get("any_case") and value.lower() in known):
            yield f"'{value}' is not one of its values", did_you_mean(value, known)
    elif kind == "integer":
        least, most = entry["least"], entry["most"]
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            fix = f'write such as "{least}", in quotes and without a unit'
            yield f"'{value}' is not a whole number from {least} to {most}", fix
    elif len(value) > entry.get("longest", len(value)):
        yield f"it has {len(value)} characters, {entry['longest']} are allowed", "shorten it"
    elif not value.startswith(entry.get("starts", "")):
        yield f"'{value}' does not start with {entry['starts']}", f"write {entry['starts']}..."
    else:
        yield from _of_kind(value, kind, facts)
