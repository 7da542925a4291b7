"""Where edits by program may strike."""

from __future__ import annotations

from typing import Any


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every entry of a tree of mappings and lists, as what holds it and its key or index there."""
    found: list[tuple[Any, Any]] = []
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        found.append((tree, key))
        if isinstance(tree[key], dict | list):
            found += places(tree[key])
    return found
