"""JSON that any reader takes, of texts that may not be text: a file's name can hold bytes that are no UTF-8."""

from __future__ import annotations

from typing import Any

import msgspec


def document(value: Any) -> str:
    """A JSON document, indented, with a line break at its end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8") + "\n"


def encodable(text: str) -> str:
    """The text, with what UTF-8 cannot encode written as escapes: the bytes of a name that Python could not decode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
