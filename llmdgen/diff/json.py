"""The difference for machines; schemas/diff.v1.json describes it."""

from __future__ import annotations

from typing import Any

import msgspec

from llmdgen.diff import words
from llmdgen.diff.fold import Difference, Line, Lone, Section

VERSION = 1


def write(found: Difference) -> str:
    """JSON of two spaces, ending with a line break."""
    document = {
        "version": VERSION,
        "differs": not found.is_empty,
        "targetsCompared": found.compared,
        "added": [_lone(each) for each in found.lone if each.is_added],
        "removed": [_lone(each) for each in found.lone if not each.is_added],
        "sizes": [
            {"name": each.name, "targets": each.targets, "before": each.before, "after": each.after}
            for each in found.sizes
        ],
        "stale": list(found.stale),
        "sections": [_section(section) for section in found.sections],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _lone(each: Lone) -> dict[str, Any]:
    return {"name": each.name, "target": each.target, "what": each.what}


def _section(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "targets": section.targets,
        "changes": [_change(line) for line in section.lines],
        "consequences": [
            {"weight": each.weight, "says": words.consequence(each), "roles": each.roles}
            for each in section.consequences
        ],
    }


def _change(line: Line) -> dict[str, Any]:
    found = {
        "subjects": line.subjects,
        "topic": line.topic,
        "name": line.name,
        "old": line.old,
        "new": line.new,
    }
    return found if line.delta is None else {**found, "delta": line.delta}
