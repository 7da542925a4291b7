"""Which lines of a section a reader needs: what only repeats another line is left out, and what comes or goes as one
thing stands in one line. JSON has every change by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from llmdgen.diff.deployment import tier_name
from llmdgen.diff.fold import Line, Section
from llmdgen.diff.state import Value
from llmdgen.diff.step import INSTANCE_LABEL, SCHEDULER_CONFIG_TOPICS
from llmdgen.diff.yaml import compact

# Settings that say the size of a tier again, in a unit of their own.
_TIER_SIZES = {
    "OffloadingConnector cpu_bytes_to_use": tier_name("cpu"),
    "env LMCACHE_MAX_LOCAL_CPU_SIZE": tier_name("cpu"),
    "env LMCACHE_MAX_LOCAL_DISK_SIZE": tier_name("disk"),
}
# What a pod's size on a node follows from.
_SIZES = ("tensor parallelism", "data parallelism of a pod")
# A thing that has parts, and one of them.
_PARTS = re.compile(r"(values/\S+ [^.\s]+\.[^.\s]+)\.(.+)|(affinity [^.]+)\.(.+)|(spec\.\w+)\.(.+)")
# What goes with the class of a Gateway.
_OF_THE_CLASS = (
    "parameters",
    *(f"Gateway spec.infrastructure.parametersRef.{key}" for key in ("group", "kind", "name")),
)
_CHART_VERSION = "chart/Chart.yaml version"
_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{8,64}")
# Leaves of an object that is new or gone which say nothing that its kind and name do not.
_PLAIN = re.compile(r"(apiVersion|kind|metadata\..*|spec\.infrastructure\..*)")


def shown(section: Section) -> list[Line]:
    """The lines to show, in their order."""
    lines = [line for line in section.lines if line.subjects != ("capacity",)]
    return _weights(_grouped([line for line in lines if not _repeats(line, lines)]))


def _repeats(line: Line, lines: list[Line]) -> bool:
    """Whether other lines of the section say the same."""
    name = line.name
    if name in ("GPUs of a pod", "nvidia.com/gpu"):
        return _covers(lines, line, lambda other: other.name in _SIZES)
    if name == "pods on a node":
        return _covers(lines, line, lambda other: other.name in (*_SIZES, "instance type"))
    if name == INSTANCE_LABEL:
        return _covers(lines, line, lambda other: other.name == "instance type")
    if name == "longest request in tokens":
        return _covers(lines, line, lambda other: other.name == "--max-model-len" and _alike(other, line))
    if name in _TIER_SIZES:
        return _covers(lines, line, lambda other: other.name == _TIER_SIZES[name])
    if name.endswith(" kv_role") and "kv_both" in (line.old, line.new):
        return _covers(lines, line, lambda other: other.name == "KV connectors")
    if name.startswith("mount ") and _sign(line):
        volume = str(line.new if line.old is None else line.old).partition('"name":"')[2].partition('"')[0]
        return _covers(
            lines, line, lambda other: other.name.startswith(f"volume {volume} ") and _sign(other) == _sign(line)
        )
    if line.subjects == ("pool",) and name.startswith("selector "):
        label = f"label {name.removeprefix('selector ')}"
        return any(other.name == label and _alike(other, line) for other in lines)
    if name in _OF_THE_CLASS:
        return any(other.topic == "provider" for other in lines)
    if name == _CHART_VERSION:
        return any(other.name == "llm-d release" for other in lines)
    if all(value is None or _is_digest(value) for value in (line.old, line.new)):
        return any(other.topic in SCHEDULER_CONFIG_TOPICS for other in lines)
    return False


def _is_digest(value: Value) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _covers(lines: list[Line], line: Line, says_it: Callable[[Line], bool]) -> bool:
    """Whether such lines stand for each subject of a line."""
    found = {subject for other in lines if says_it(other) for subject in other.subjects}
    return set(line.subjects) <= found


def _alike(one: Line, other: Line) -> bool:
    return (one.old, one.new) == (other.old, other.new)


def _grouped(lines: list[Line]) -> list[Line]:
    """Lines of one thing that is wholly new or gone become one."""
    plugins = {
        (line.subjects, line.name.removeprefix("plugin "), _sign(line)) for line in lines if line.topic == "plugin"
    }
    containers = {
        (line.subjects, line.name.removesuffix(" image"), _sign(line))
        for line in lines
        if line.topic == "image" and line.name.endswith(" image")
    }
    objects = {(line.subjects, line.name, _sign(line)) for line in lines if line.topic == "object" and _sign(line)}
    groups: dict[object, list[tuple[Line, str]]] = {}
    for line in lines:
        stem, leaf = _stem(line, plugins, containers, objects)
        key: object = (line.subjects, stem, _sign(line)) if stem and _sign(line) else line
        groups.setdefault(key, []).append((line, leaf))
    found = []
    for key, members in groups.items():
        if isinstance(key, tuple) and (len(members) > 1 or members[0][0].topic in ("plugin", "object")):
            found.append(_one(key[1], members))
        else:
            found += [line for line, _ in members]
    return found


def _sign(line: Line) -> str:
    return "+" if line.old is None else "-" if line.new is None else ""


def _stem(
    line: Line,
    plugins: Iterable[object],
    containers: Iterable[object],
    objects: Iterable[tuple[tuple[str, ...], str, str]],
) -> tuple[str, str]:
    """What a line is a part of, "" for nothing, and which part."""
    name, sign = line.name, _sign(line)
    for subjects, label, of in objects:
        is_of_it = (subjects, of) == (line.subjects, sign) and line.topic in ("object", "immutable", "value")
        if is_of_it and (name == label or name.startswith(f"{label} ")):
            return label, name[len(label) + 1 :]
    if line.topic == "plugin":
        return name, ""
    if line.topic == "weight":
        plugin, _, profile = name.partition(" in profile ")
        if (line.subjects, plugin, sign) in plugins:
            return f"plugin {plugin}", f"profile {profile}"
    if line.topic == "parameter" and line.subjects == ("scheduler",):
        plugin, _, parameter = name.partition(" ")
        if (line.subjects, plugin, sign) in plugins:
            return f"plugin {plugin}", parameter
    container, _, rest = name.partition(" ")
    if (line.subjects, container, sign) in containers:
        return f"container {container}", rest
    if line.subjects == ("sidecar",):
        return "settings", name
    if line.topic in ("connector", "flag") and " " in name:
        return container, rest
    if line.topic in ("volume", "port") and len(parts := name.split(" ")) == 3 and parts[0] in ("volume", "port"):
        return " ".join(parts[:2]), parts[2]
    found = _PARTS.match(name)
    if found and line.topic in ("value", "pod", "placement"):
        stem, leaf = [each for each in found.groups() if each is not None]
        return stem, leaf
    return "", ""


def _one(stem: str, members: list[tuple[Line, str]]) -> Line:
    first = members[0][0]
    parts: list[str] = []
    profiles: dict[str, list[str]] = {}
    common = _common([leaf for line, leaf in members if line.topic not in ("plugin", "weight", "object")])
    for line, leaf in members:
        value = line.new if line.old is None else line.old
        if line.topic == "object":
            continue
        if line.topic == "plugin":
            parts += [str(value)] if stem != f"plugin {value}" else []
        elif line.topic == "weight":
            used = "" if value == "used" else f"weight {_text(value)} "
            profiles.setdefault(used, []).append(leaf.removeprefix("profile "))
        elif not _PLAIN.fullmatch(leaf):
            parts.append(f"{leaf.removeprefix(common)}: {_text(value)}" if leaf else _text(value))
    parts = [f"{used}in {' and '.join(names)}" for used, names in profiles.items()] + parts
    text = ", ".join(parts) or ("no parameters" if first.topic == "plugin" else _own_name(members))
    old, new = (None, text) if first.old is None else (text, None)
    return Line(first.subjects, "group", f"{stem}.{common}".rstrip(".") if common else stem, old, new)


def _common(leaves: list[str]) -> str:
    """The keys, with a dot behind each, that all leaves begin with."""
    keys = [leaf.split(".")[:-1] for leaf in leaves if not _PLAIN.fullmatch(leaf)]
    depth = 0
    while len(keys) > 1 and all(len(each) > depth for each in keys) and len({each[depth] for each in keys}) == 1:
        depth += 1
    return "".join(f"{key}." for key in keys[0][:depth]) if depth else ""


def _own_name(members: list[tuple[Line, str]]) -> str:
    named = [line.new if line.old is None else line.old for line, leaf in members if leaf == "metadata.name"]
    return _text(named[0]) if named else "the whole of it"


def _weights(lines: list[Line]) -> list[Line]:
    """A scorer has the same weight in several profiles: once."""
    profiles: dict[tuple[str, Value, Value], list[str]] = {}
    for line in lines:
        if line.topic == "weight":
            scorer, _, profile = line.name.partition(" in profile ")
            profiles.setdefault((scorer, line.old, line.new), []).append(profile)
    found = []
    for line in lines:
        if line.topic != "weight":
            found.append(line)
            continue
        key = (line.name.partition(" in profile ")[0], line.old, line.new)
        if (names := profiles.pop(key, None)) is not None:
            what = key[0] if "used" in (line.old, line.new) else f"weight of {key[0]}"
            name = f"{what} in profile{'s'[: len(names) > 1]} {' and '.join(names)}"
            found.append(Line(line.subjects, line.topic, name, line.old, line.new))
    return found


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(value.split()) if isinstance(value, str) else compact(value)
