"""JSON that any reader takes, of texts that may not be text: a file's name can hold bytes that are not UTF-8."""

from __future__ import annotations

import os
from typing import Any

import msgspec


def document(value: Any) -> str:
    """A JSON document, indented, with a line break at its end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8") + "\n"


def encodable(text: str) -> str:
    """The text, with what UTF-8 cannot encode written as escapes: the bytes of a name that Python could not decode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def from_here(path: str) -> str:
    """A path as a repository names its files: from where the command runs, without ./ and .. that lead nowhere.

    What reads annotations compares names with those of the repository, as text.
    """
    if not path or "\0" in path:
        return path
    short = os.path.normpath(path)
    try:
        if os.path.isabs(short):
            return short.removeprefix(os.getcwd().rstrip(os.sep) + os.sep)
        return short if os.path.realpath(short) == os.path.realpath(path) else path
    except FileNotFoundError:  # the working directory is gone
        return path
