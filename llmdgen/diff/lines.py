"""Which lines of a section a reader needs: what only repeats another line is left out, and what comes or goes as one
thing stands in one line. JSON has every change by itself."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import structs

from llmdgen.diff.fold import Section
from llmdgen.diff.state import Value, tier_name
from llmdgen.diff.step import INSTANCE_LABEL, SCHEDULER_CONFIG_TOPICS, Change
from llmdgen.diff.yaml import compact

GROUP = "group"  # the topic of a line that stands for several
# What a line says that another line of that name says already, for each subject of the first.
_SAID_BY = {
    "GPUs of a pod": ("tensor parallelism", "data parallelism of a pod"),
    "nvidia.com/gpu": ("tensor parallelism", "data parallelism of a pod"),
    "pods on a node": ("tensor parallelism", "data parallelism of a pod", "instance type"),
    INSTANCE_LABEL: ("instance type",),
    # Settings that say the size of a tier again, in a unit of their own.
    "OffloadingConnector cpu_bytes_to_use": (tier_name("cpu"),),
    "env LMCACHE_MAX_LOCAL_CPU_SIZE": (tier_name("cpu"),),
    "env LMCACHE_MAX_LOCAL_DISK_SIZE": (tier_name("disk"),),
}
_OF_THE_CLASS = re.compile(r"parameters|Gateway spec\.infrastructure\.parametersRef\..*")
_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{8,64}")
_NAME = re.compile(r"(?<=[lL]abels)\..*|(?<=annotations)\..*")  # below these is a name, dots and all
# Leaves of an object that is new or gone which say nothing that its kind and name do not.
_PLAIN = re.compile(r"(apiVersion|kind|metadata\..*|spec\.infrastructure\..*)")


def shown(section: Section) -> list[Change]:
    """The lines to show, in their order."""
    lines = [line for line in section.lines if line.subject != "capacity"]
    groups: dict[object, list[Change]] = {}
    for line in lines:
        if not _repeats(line, lines):
            groups.setdefault(_group_of(line, lines), []).append(line)
    return [line for members in groups.values() for line in _as_one(members)]


def _repeats(line: Change, lines: list[Change]) -> bool:
    """Whether other lines of the section say the same."""

    def said(says_it: Callable[[Change], bool]) -> bool:
        """Whether such lines stand for each subject of the line."""
        return set(line.subjects) <= {subject for other in lines if says_it(other) for subject in other.subjects}

    def is_alike(other: Change) -> bool:
        return (other.old, other.new) == (line.old, line.new)

    name = line.name
    if name in _SAID_BY:
        return said(lambda other: other.name in _SAID_BY[name])
    if name == "longest request in tokens":
        return said(lambda other: other.name == "--max-model-len" and is_alike(other))
    if name.endswith(" kv_role") and "kv_both" in (line.old, line.new):
        return said(lambda other: other.name == "KV connectors")
    if name.startswith("mount ") and line.sign != "~":
        volume = str(line.value).partition('"name":"')[2].partition('"')[0]
        return said(lambda other: other.thing == f"volume {volume}" and other.sign == line.sign)
    if line.subject == "pool" and name.startswith("selector "):
        label = f"label {name.removeprefix('selector ')}"
        return any(other.name == label and is_alike(other) for other in lines)
    if _OF_THE_CLASS.fullmatch(name):
        return any(other.topic == "provider" for other in lines)
    if name == "chart/Chart.yaml version":
        return any(other.name == "llm-d release" for other in lines)
    if all(value is None or (isinstance(value, str) and _DIGEST.fullmatch(value)) for value in (line.old, line.new)):
        return any(other.topic in SCHEDULER_CONFIG_TOPICS for other in lines)
    return False


def _group_of(line: Change, lines: list[Change]) -> object:
    """What lines have in common that stand as one: the thing that comes or goes, or a scorer whose weight changes alike
    in several profiles."""
    is_whole = line.sign != "~" and line.thing != ""
    if is_whole and line.thing.startswith("plugin "):
        is_whole = any(other.name == line.thing and other.sign == line.sign for other in lines)
    if is_whole:
        return line.subjects, line.thing, line.sign
    if line.topic == "weight":
        return line.subjects, line.thing, repr((line.old, line.new))
    return line


def _as_one(members: list[Change]) -> list[Change]:
    """Lines of one group as one line, a line without a group as it is."""
    first = members[0]
    if first.topic == "weight":
        return [_weight(members)]
    has_head = any(line.name == line.thing for line in members)
    if len(members) == 1 and not (has_head and first.topic in ("plugin", "object")):
        return members
    common = _common([_leaf(line) for line in members if _is_said(line)])
    said = ", ".join([*_weights(members), *(_said(line, common) for line in members if _is_said(line))])
    if not said:
        names = [_text(line.value) for line in members if _leaf(line) == "metadata.name"]
        said = "no parameters" if first.topic == "plugin" else (*names, "the whole of it")[0]
    old, new = (said, None) if first.new is None else (None, said)
    title = f"{first.thing}.{common}".rstrip(".") if common else first.thing
    return [structs.replace(first, topic=GROUP, name=title, old=old, new=new)]


def _is_said(line: Change) -> bool:
    """Whether a line says more of its thing than what that is called."""
    if line.topic == "plugin":
        return line.name != f"plugin {line.value}"
    return line.topic not in ("weight", "object") and not _PLAIN.fullmatch(_leaf(line))


def _said(line: Change, common: str) -> str:
    leaf = "" if line.topic == "plugin" else _leaf(line).removeprefix(common)
    return f"{leaf}: {_text(line.value)}" if leaf else _text(line.value)


def _weights(members: list[Change]) -> list[str]:
    """In which profiles a new scorer is used, and with which weight."""
    profiles: dict[str, list[str]] = {}
    for line in members:
        if line.topic == "weight":
            used = "" if line.value == "used" else f"weight {_text(line.value)} "
            profiles.setdefault(used, []).append(_leaf(line).removeprefix("in profile "))
    return [f"{used}in {' and '.join(names)}" for used, names in profiles.items()]


def _leaf(line: Change) -> str:
    """What of a thing a line is about. Its name begins with the thing, or with what that is called."""
    return line.name.removeprefix(line.thing).removeprefix(line.thing.partition(" ")[2]).lstrip(" .")


def _common(leaves: list[str]) -> str:
    """The keys, with a dot behind each, that all of several leaves begin with."""
    keys = [_NAME.sub(".", leaf).split(".")[:-1] for leaf in leaves if leaf]
    depth = 0
    while len(keys) > 1 and all(len(each) > depth for each in keys) and len({each[depth] for each in keys}) == 1:
        depth += 1
    return "".join(f"{key}." for key in keys[0][:depth]) if depth else ""


def _weight(lines: list[Change]) -> Change:
    """A scorer has the same weight in several profiles: once."""
    first = lines[0]
    scorer, _, _ = first.name.partition(" in profile ")
    profiles = [line.name.removeprefix(f"{scorer} in profile ") for line in lines]
    what = scorer if "used" in (first.old, first.new) else f"weight of {scorer}"
    name = f"{what} in profile{'s'[: len(profiles) > 1]} {' and '.join(profiles)}"
    return structs.replace(first, name=name)


def _text(given: Value) -> str:
    return f"[{value(given)}]" if isinstance(given, tuple) else value(given)


def value(given: Value) -> str:
    """A value on one line, as a command line or YAML would have it."""
    if isinstance(given, tuple):
        return ", ".join(value(each) for each in given) or "none"
    if isinstance(given, str):
        return " ".join(given.split()) or '""'
    return str(int(given)) if isinstance(given, float) and given.is_integer() else compact(given)
