"""Values of load balancer annotations, each judged by the kind that the facts give it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from llmdgen.suggest import did_you_mean, one_of

Wrong = tuple[str, str]
"""What is wrong with a value, and what to write."""


def wrong(value: str, entry: dict[str, Any], facts: dict[str, Any]) -> Iterator[Wrong]:
    """What the controller or the AWS API would refuse in an annotation's value. Unknown attributes are not judged."""
    kind = entry["kind"]
    if not value.strip():
        yield "the value is empty", "give it a value, or leave the annotation out"
    elif kind in ("map", "attributes"):
        yield from _map(value, entry, facts)
    elif kind in _ITEMS or kind in ("list", "arns"):
        yield from _list(value, entry)
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


def _list(value: str, entry: dict[str, Any]) -> Iterator[Wrong]:
    for part in items(value):
        if " " in part:
            yield f"'{part}' holds a space", "separate the items with commas"
        elif set(part) & set("[]{}\"';"):
            yield f"'{part}' is not an item of a list", "write item,item, without brackets and quotes"
        elif not part.startswith(entry.get("starts", "")):
            yield f"'{part}' does not start with {entry['starts']}", "list ids, separated by commas"
        elif entry["kind"] == "arns":
            pieces = part.split(":", 5)
            kinds = entry["services"]
            if len(pieces) < 6 or pieces[0] != "arn" or not pieces[5].startswith(kinds.get(pieces[2], "?")):
                fix = "write arn:aws:acm:<region>:<account>:certificate/<id>"
                yield f"'{part}' is not the ARN of a certificate", fix
        elif entry["kind"] in _ITEMS:
            yield from _ITEMS[entry["kind"]](part)


def _cidr(part: str) -> Iterator[Wrong]:
    from ipaddress import ip_network

    try:
        ip_network(part)
    except ValueError:
        try:
            yield f"'{part}' has bits set behind its prefix", f"write {ip_network(part, strict=False)}"
        except ValueError:
            yield f"'{part}' is not a CIDR", "write such as 10.0.0.0/8, separated by commas"
        return
    if "/" not in part:
        yield f"'{part}' has no prefix length", f"write {ip_network(part)}"


def _address(part: str, version: int) -> Iterator[Wrong]:
    from ipaddress import ip_address

    try:
        fits = ip_address(part).version == version
    except ValueError:
        fits = False
    if not fits:
        yield f"'{part}' is not an IPv{version} address", "list addresses, one for each subnet"


def _port(part: str) -> Iterator[Wrong]:
    if not (part.isascii() and part.isdigit() and 1 <= int(part) <= 65535):
        yield f"'{part}' is not a port", "write a number from 1 to 65535"


_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?"
_ITEMS: dict[str, Callable[[str], Iterator[Wrong]]] = {
    "cidrs": _cidr,
    "ipv4": partial(_address, version=4),
    "ipv6": partial(_address, version=6),
    "ports": _port,
}


def _scalar(value: str, entry: dict[str, Any], facts: dict[str, Any]) -> Iterator[Wrong]:
    kind = entry["kind"]
    if kind == "choice":
        known = entry["choices"]
        if value not in known and not (entry.get("any_case") and value.lower() in known):
            yield f"'{value}' is not one of its values", did_you_mean(value, known)
    elif kind == "boolean":
        if value not in facts["booleans"]:
            yield f"'{value}' is neither true nor false", 'write "true" or "false", in quotes'
    elif kind == "integer":
        least, most = entry["least"], entry["most"]
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            fix = f'write such as "{least}", in quotes and without a unit'
            yield f"'{value}' is not a whole number from {least} to {most}", fix
    elif kind == "codes":
        if not re.fullmatch(r"[1-5][0-9]{2}([,-][1-5][0-9]{2})*", value):
            yield f"'{value}' is not a list of status codes", 'write such as "200", "200,202" or "200-299"'
    elif kind == "port":
        if value != "traffic-port" and value.isascii() and value.isdigit():
            yield from _port(value)
    elif len(value) > entry.get("longest", len(value)):
        yield f"it has {len(value)} characters, {entry['longest']} are allowed", "shorten it"
    elif kind == "name" and (not re.fullmatch(_NAME, value) or value.startswith("internal-")):
        fix = "use letters, digits and -, neither - at an end nor internal- first"
        yield f"'{value}' is not a load balancer's name", fix
    elif not value.startswith(entry.get("starts", "")):
        yield f"'{value}' does not start with {one_of([entry['starts']])}", f"write {entry['starts']}..."
