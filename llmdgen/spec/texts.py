"""Keys and texts whose reader is Kubernetes or vLLM: labels, zones, environment, flags, tolerations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.facts.catalogue import table
from llmdgen.findings import Finding, Route
from llmdgen.spec.places import error, quoted
from llmdgen.suggest import nearest
from llmdgen.untyped import mapping, maps

ENGINES = ("prefill", "decode", "engine")
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
FLAG_NAME = r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*(\.[-A-Za-z0-9_.]+)?$"
"""A flag, or with a dot a key of its JSON value, whose words may hold underscores."""
FREE = frozenset(("args", "env", "pod", "values", "reason"))
"""Keys under which a text may have several lines."""

ZONE_LABEL = "topology.kubernetes.io/zone"

_LABEL_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_PREFIX = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_LONGEST_PREFIX = 253
_KEY_FIX = "write prefix/name: a lower-case domain, then at most 63 letters, digits, -, _ and ."
_VALUE_FIX = "use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends"
_REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]"
# How regions are called, those that are newer than the facts too: a part of the world, where in it, a number.
_LIKE_A_REGION = r"[a-z]{2,4}(-[a-z]+)*-(north|south|east|west|central){1,2}-[0-9]+$"
_ZONE = rf"{_REGION}(?:[a-z]|-[a-z]{{3}}-[0-9][a-z]|-wl[0-9]-[a-z]{{3}}-wlz-[0-9])"
_ZONE_ID = r"[a-z]+[0-9](?:-[a-z]+[0-9])?-az[0-9]"


def misread(spec: dict[str, Any]) -> Iterator[Finding]:
    """Findings about texts that their reader would refuse or take for something else."""
    cluster = mapping(spec.get("cluster"))
    yield from _labels(mapping(cluster.get("nodeSelector")), ("spec", "cluster", "nodeSelector"), "a node label")
    yield from _labels(mapping(mapping(spec.get("monitoring")).get("labels")), ("spec", "monitoring", "labels"))
    for index, toleration in maps(cluster.get("tolerations")):
        yield from _toleration(toleration, ("spec", "cluster", "tolerations", index))
    for role in ENGINES:
        part = mapping(spec.get(role))
        yield from _flags(mapping(part.get("args")), ("spec", role, "args"))
        yield from _environment(mapping(part.get("env")), ("spec", role, "env"))


def broken_lines(value: Any, at: Route = ()) -> Iterator[Finding]:
    """A name or path with a line break in it comes from a text block, and nobody reads it as it was meant."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in FREE:
                yield from broken_lines(each, (*at, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from broken_lines(each, (*at, index))
    elif isinstance(value, str) and any(character in value for character in "\n\r\t"):
        broken = "a tab" if "\t" in value else "a line break"
        yield error("SPEC018", f"{quoted(value)} holds {broken}", "write it in one line, without | or >", at)


def availability_zone(zone: str, at: Route) -> Iterator[Finding]:
    """The availability zone that pods select."""
    if re.fullmatch(_ZONE, zone):
        # A region may be newer than the facts, unless it is almost one that AWS has.
        region, regions = region_of(zone), table("platforms.toml")["regions"]["names"]
        close = () if region in regions else nearest(region, regions, limit=1)
        if region not in regions and (close or not re.match(_LIKE_A_REGION, region)):
            fix = f"did you mean {close[0]}{zone.removeprefix(region)}?" if close else "write a zone as us-east-1a"
            yield error("SPEC015", f"{quoted(zone)} is in no region of AWS", fix, at)
        return
    fix = "write the zone's name, such as us-east-1a"
    says = f"{quoted(zone)} is not an availability zone"
    if re.fullmatch(_REGION, zone):
        says, fix = f"{quoted(zone)} is a region, not an availability zone", f"add the zone's letter, such as {zone}a"
    elif re.fullmatch(_ZONE_ID, zone):
        says = f"{quoted(zone)} is a zone's id, and nodes carry its name in topology.kubernetes.io/zone"
    elif re.fullmatch(_ZONE, zone.lower()):
        fix = f"write {zone.lower()}"
    yield error("SPEC015", says, fix, at)


def region_of(zone: str) -> str:
    """The region of an availability zone or local zone, empty where the text is neither."""
    return zone[: match.end()] if (match := re.match(_REGION, zone)) else ""


def _labels(labels: dict[str, Any], at: Route, what: str = "a label") -> Iterator[Finding]:
    for key, value in labels.items():
        if not _is_label_key(key):
            says = f"{quoted(key)} cannot be the key of {what}"
            yield error("SPEC015", says, _KEY_FIX, (*at, key), on_key=True)
        if isinstance(value, str) and value and not re.fullmatch(_LABEL_NAME, value):
            says = f"{quoted(value)} cannot be the value of {what}"
            yield error("SPEC015", says, _VALUE_FIX, (*at, key))


def _is_label_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    prefix_fits = bool(re.fullmatch(_LABEL_PREFIX, prefix)) and len(prefix) <= _LONGEST_PREFIX if slash else True
    return prefix_fits and bool(re.fullmatch(_LABEL_NAME, name))


def _toleration(given: dict[str, Any], at: Route) -> Iterator[Finding]:
    key, value = given.get("key"), given.get("value")
    if isinstance(key, str) and key and not _is_label_key(key):
        yield error("SPEC021", f"{quoted(key)} cannot be the key of a taint", _KEY_FIX, (*at, "key"))
    if isinstance(value, str) and value and not re.fullmatch(_LABEL_NAME, value):
        yield error("SPEC021", f"{quoted(value)} cannot be the value of a taint", _VALUE_FIX, (*at, "value"))
    if given.get("operator") == "Exists" and value:
        says = "a toleration with operator Exists has no value"
        yield error("SPEC021", says, "delete the value, or write operator: Equal", (*at, "value"))
    if not key and given.get("operator") != "Exists":
        says = "a toleration without a key tolerates every taint, and needs operator Exists to say so"
        yield error("SPEC021", says, "write the key of the taint, or operator: Exists", at)
    if "tolerationSeconds" in given and given.get("effect") != "NoExecute":
        says, fix = "tolerationSeconds is only for effect NoExecute", "delete it, or write effect: NoExecute"
        yield error("SPEC021", says, fix, (*at, "tolerationSeconds"), on_key=True)


def _flags(args: dict[str, Any], at: Route) -> Iterator[Finding]:
    """vLLM takes --max_num_seqs too, but two spellings of one flag would win over each other unseen."""
    for key in args:
        if re.fullmatch(FLAG_NAME, key):
            continue
        name, equals, _ = key.partition("=")
        flag, dot, rest = name.strip().partition(".")
        proposal = re.sub(r"[_\s]+", "-", flag.strip("-_ ")) + dot + rest
        if equals:
            says = f"the flag {quoted(key)} holds a value"
        elif flag.startswith("-"):
            says = f"the flag {quoted(key)} starts with dashes"
        else:
            says = f"{quoted(key)} is not how a flag is spelled"
        fix = "write the flag's name in letters and digits, with - between words"
        if re.fullmatch(FLAG_NAME, proposal):
            fix = f"write {quoted(proposal, bare=True)}{' and the value after a colon' if equals else ''}"
        yield error("SPEC017", says, fix, (*at, key), on_key=True)


def _environment(env: dict[str, Any], at: Route) -> Iterator[Finding]:
    for key in env:
        if not re.fullmatch(ENV_NAME, key):
            proposal = re.sub(r"[^A-Za-z0-9_]", "_", key.strip())
            fits = bool(re.fullmatch(ENV_NAME, proposal))
            fix = f"write {quoted(proposal, bare=True)}" if fits else "use letters, digits and _, not first a digit"
            yield error("SPEC016", f"{quoted(key)} cannot name an environment variable", fix, (*at, key), on_key=True)
