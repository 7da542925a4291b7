"""Where the package's own files are: facts beside the code, templates and schemas at the top of the repository.

A wheel carries templates/ and schemas/ inside the package; a checkout has them one level up.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent
FACTS = PACKAGE / "facts" / "data"


def _shared(folder: str) -> Path:
    inside = PACKAGE / folder
    return inside if inside.is_dir() else PACKAGE.parent / folder


TEMPLATES = _shared("templates")
SCHEMAS = _shared("schemas")
