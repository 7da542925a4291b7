"""Names of files and directories that cannot lead out of the directory they stand in."""

from __future__ import annotations

LONGEST_NAME = 255  # bytes, of every file system we write to


def is_safe_name(name: str) -> bool:
    """One component of a path: not empty, not `.` or `..`, no separator, nothing that does not print."""
    return (
        name not in ("", ".", "..")
        and "/" not in name
        and "\\" not in name
        and name.isprintable()
        and len(name.encode("utf-8", "surrogatepass")) <= LONGEST_NAME
    )


def is_safe_path(path: str) -> bool:
    """A relative path of safe names, with / between them."""
    return all(is_safe_name(name) for name in path.split("/"))
