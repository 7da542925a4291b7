"""The difference for machines; schemas/diff.v1.json describes it."""

from __future__ import annotations

from typing import Any

from llmdgen.diff.fold import Difference, Section
from llmdgen.diff.step import Change
from llmdgen.report.formats import document

VERSION = 1


def write(found: Difference) -> str:
    """JSON of two spaces, ending with a line break."""
    lone: dict[bool, list[dict[str, str]]] = {True: [], False: []}
    for each in found.lone:
        lone[each.is_added].append({"name": each.name, "target": each.target, "what": each.what})
    return document(
        {
            "version": VERSION,
            "differs": not found.is_empty,
            "targetsCompared": found.compared,
            "added": lone[True],
            "removed": lone[False],
            "sizes": found.sizes,
            "stale": found.stale,
            "sections": [_section(section) for section in found.sections],
        }
    )


def _section(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "targets": section.targets,
        "changes": [_change(line) for line in section.lines],
        "consequences": [
            {"weight": each.weight, "says": str(each), "roles": each.roles} for each in section.consequences
        ],
    }


def _change(line: Change) -> dict[str, Any]:
    found = {name: getattr(line, name) for name in ("subjects", "topic", "name", "old", "new")}
    return found if line.delta is None else {**found, "delta": line.delta}
