#!/usr/bin/env python3
"""Cut Markdown on stdin to a number of bytes, at the end of a line, with every open fold closed.

Usage: cut.py BYTES < report.md
"""

from __future__ import annotations

import sys

CUT = "\n**Cut here:** the rest is too long for this place.\n"
PAIRS = (("<pre>", "</pre>"), ("<details>", "</details>"))
ROOM = 100  # for the tags that close what is open


def cut(text: str, limit: int, says: str = CUT) -> str:
    """The text where it fits into `limit` bytes of UTF-8, else as many of its lines as do, what was open closed."""
    if len(text.encode()) <= limit:
        return text
    left = limit - len(says.encode()) - ROOM
    kept = []
    for line in text.splitlines(keepends=True):
        left -= len(line.encode())
        if left < 0:
            break
        kept.append(line)
    short = "".join(kept)
    for start, end in PAIRS:
        short += f"\n{end}\n\n" * (short.count(start) - short.count(end))
    return short + says


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0].isdigit():
        print(__doc__, file=sys.stderr)
        return 64
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    sys.stdout.buffer.write(cut(text, int(arguments[0])).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
