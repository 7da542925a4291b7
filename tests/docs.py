"""The pages of the documentation, and the commands that they show.

A ```bash block is run, with the page's earlier ones before it, unless the line above it says otherwise:

    <!-- not run: needs a cluster -->     what it needs; it is parsed, and its options are looked up
    <!-- exits 2 -->                      another exit code than 0
    <!-- output -->                       above a ```text block: what the block before printed
    <!-- file: NAME -->                   above any block: a file of that content; `append to` adds to several
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
GENERATED = ("commands.md", "diagnostics.md", "spec.md")
BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/environments/README.md")
BLOCK = re.compile(r"(?:^<!-- (?P<marker>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)

Kind = Literal["run", "exits", "not run", "output", "file", "append to", "shown"]


class Block(Struct, frozen=True):
    """A fenced block: `argument` is what follows the kind in its marker; `line` counts from 1."""

    kind: Kind
    argument: str
    language: str
    text: str
    line: int


def pages() -> list[Path]:
    """The README, what stands beside it, the examples, and the documentation."""
    return [*(ROOT / name for name in BESIDE), *sorted(DOCS.rglob("*.md"))]


def by_hand() -> list[str]:
    """The pages below docs/ that nobody generates, as paths below docs/."""
    return sorted(each for page in DOCS.rglob("*.md") if (each := page.relative_to(DOCS).as_posix()) not in GENERATED)


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in their order. Raises ValueError for a marker that is none."""
    text = page.read_text("utf-8")
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("text"))
        kind, argument = _read(match["marker"], match["language"])
        yield Block(kind, argument, match["language"], match["text"], line)


def _read(marker: str | None, language: str) -> tuple[Kind, str]:
    if marker is None:
        return ("run", "") if language == "bash" else ("shown", "")
    kinds: tuple[Kind, ...] = ("not run", "append to", "exits", "output", "file")
    for kind in kinds:
        if marker.startswith(kind):
            return kind, marker.removeprefix(kind).lstrip(": ")
    raise ValueError(f"{marker!r} is not a marker of a block")
