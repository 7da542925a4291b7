"""How much of a foreign tree is read before it is refused: far beyond anything that llmdgen writes."""

from __future__ import annotations

FILE_BYTES = 4 * 2**20
ALL_BYTES = 256 * 2**20
FILES = 20_000
VALUES = 200_000  # leaves of one document, aliases counted as often as they are used
DEPTH = 60
