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
    kind = _below(root, "kind")
    metadata = _below(root, "metadata")
    name = _below(metadata[1], "name") if metadata else None
    return f"{kind[1].value}/{name[1].value}" if kind and name else ""


def _position(root: Node | None, route: Route) -> tuple[int, int]:
    """Line and column, from 1, of a route's value, or of its key where the value is a block of its own; of the nearest
    part of the route that is there."""
    line, column = 1, 1
    for key in route:
        found = _below(root, key) if root is not None else None
        if found is None:
            break
        own, root = found
        mark = (root if isinstance(root, ScalarNode) else own).start_mark
        line, column = mark.line + 1, mark.column + 1
    return line, column


def _below(node: Node, key: str | int) -> tuple[Node, Node] | None:
    """The key and the value below a node. An item of a list, found by index, name or flag, is its own key."""
    if isinstance(node, MappingNode):
        return next(((each, value) for each, value in node.value if each.value == key), None)
    if isinstance(node, SequenceNode):
        for index, each in enumerate(node.value):
            named = _below(each, "name") if isinstance(each, MappingNode) and isinstance(key, str) else None
            flag = each.value.partition("=")[0] if isinstance(each, ScalarNode) else None
            if key in (index, flag) or (named and named[1].value == key):
                return each, each
    return None
