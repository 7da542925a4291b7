"""Where a finding stands in a rendered directory: in which file, at which line and column.

The files are read only where there is something to print. What the router's chart makes stands in none of them, so that
a finding about it names the object alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode, YAMLError

from llmdgen.findings import Finding, Route, in_directory
from llmdgen.objects.chart import FOLDER

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def lines(directory: Path, findings: Sequence[Finding]) -> Iterator[str]:
    """Each finding as one line: `x/p5/chart/templates/decode.yaml:12:9: error VER012: Deployment/x spec.template: ...`,
    and `x/p5: Service/x spec.ports: error VER035: ...` where no file of the directory holds the object."""
    documents = _documents(directory) if findings else {}
    objects = {_name(root): file for file, root in documents.items() if file.startswith(f"{FOLDER}/")}
    for each in findings:
        plain = in_directory(str(directory), each)
        file = objects.get(each.of) or (each.of if (directory / each.of).is_file() else None)
        if file is None:
            yield plain
            continue
        line, column = _position(documents.get(file), each.at)
        start = f"{each.severity.value} {each.code}: "
        where = f"{each.of} {each.path}".rstrip() if file != each.of else each.path
        says = plain.partition(start)[2]
        yield f"{directory / file}:{line}:{column}: {start}{where}{': ' if where else ''}{says}"


def _documents(directory: Path) -> dict[str, Node]:
    """The root of each YAML file that holds one document, by the file's path in the directory."""
    found: dict[str, Node] = {}
    for file in sorted(directory.rglob("*.yaml")):
        try:
            root = yaml.compose(file.read_text("utf-8"), _Loader)
        except (OSError, UnicodeDecodeError, YAMLError, RecursionError):
            continue
        if root is not None:
            found[file.relative_to(directory).as_posix()] = root
    return found


def _name(root: Node) -> str:
    """Kind/name of an object, "" where it has none."""
    top = _children(root)
    kind, name = top.get("kind"), _children(top.get("metadata")).get("name")
    return f"{kind.value}/{name.value}" if isinstance(kind, ScalarNode) and isinstance(name, ScalarNode) else ""


def _position(root: Node | None, route: Route) -> tuple[int, int]:
    """Line and column, from 1, of a route, or of the nearest part of it that is there."""
    node, found = root, None
    for key in route:
        node = _children(node).get(key)
        if node is None:
            break
        found = node.start_mark
    return (found.line + 1, found.column + 1) if found is not None else (1, 1)


def _children(node: Node | None) -> dict[str | int, Node]:
    """What a mapping or a list holds, by key or index; the items of a list that have a name, by that too."""
    if isinstance(node, MappingNode):
        return {key.value: value for key, value in node.value if isinstance(key, ScalarNode)}
    if isinstance(node, SequenceNode):
        named = {_children(each).get("name"): each for each in node.value if isinstance(each, MappingNode)}
        by_name = {name.value: each for name, each in named.items() if isinstance(name, ScalarNode)}
        return {**by_name, **dict(enumerate(node.value))}
    return {}
