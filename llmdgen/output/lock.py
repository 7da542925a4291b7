"""llmdgen.lock: what llmdgen wrote below rendered/<name>/, from what, and therefore what it may replace or remove.

One entry a target (an output directory), so that a render of one instance type leaves the others' entries as they are.
The text is JSON with sorted keys and one file a line: the same targets give the same bytes, and two branches merge.
"""

from __future__ import annotations

import re
from hashlib import sha256

import msgspec
from msgspec import Struct

LOCK_NAME = "llmdgen.lock"
USERS_OWN = ("cluster.yaml", "switches.yaml")  # which people write beside prerequisites, as their README.md says
LONGEST_NAME = 255  # bytes, of every file system we write to
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]+)`")
_TOOL = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")  # it is printed
_HEX = frozenset("0123456789abcdef")


class LockError(ValueError):
    """A lock that cannot be believed: why, and what helps."""

    def __init__(self, says: str, fix: str = "git restore it, or remove it and render again") -> None:
        super().__init__(says)
        self.fix = fix


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One target: the version that wrote it, digests of the spec and of the facts, and each file's sha256 by its path
    below the target's directory."""

    tool: str
    spec: str
    facts: str
    files: dict[str, str]


class Lock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All targets of one spec, by the name of their directory."""

    about: str = "Files that llmdgen wrote here; `llmdgen render --check` compares with them. Do not edit."
    targets: dict[str, Entry] = {}

    def owned(self) -> dict[str, str]:
        """sha256 of every file, by its path below the lock's directory."""
        return {
            f"{target}/{path}": seal for target, entry in self.targets.items() for path, seal in entry.files.items()
        }


def digest(data: bytes) -> str:
    """sha256 in hexadecimal."""
    return sha256(data).hexdigest()


def dump(lock: Lock) -> str:
    """The text of a lock."""
    return msgspec.json.format(msgspec.json.encode(lock, order="deterministic"), indent=1).decode() + "\n"


def parse(data: bytes) -> Lock:
    """The lock of a text. Raises LockError where it is damaged or names anything outside its directory."""
    try:
        lock = msgspec.json.decode(data, type=Lock)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        unknown = _UNKNOWN_FIELD.search(str(error))
        if unknown:
            says = f"it has the key {unknown[1]}, of which this llmdgen knows nothing: a later one may have written it"
            raise LockError(says, "use the llmdgen that wrote it, or remove it and render again") from error
        if b"<<<<<<< " in data:
            fix = "take either side (git checkout --ours), then render: it is written anew"
            raise LockError("it holds a merge conflict", fix) from error
        raise LockError(f"it is damaged: {error}") from error
    for target, entry in lock.targets.items():
        if not is_safe_name(target):
            raise LockError(f"{target!r} is not the name of a directory")
        for path, seal in entry.files.items():
            if not is_safe_path(path):
                raise LockError(f"{path!r} is not a path below {target}")
            if not _is_seal(seal):
                raise LockError(f"the sha256 of {target}/{path} is not one")
        if not _TOOL.fullmatch(entry.tool):
            raise LockError(f"the version that wrote {target} is not one")
        if not (_is_seal(entry.spec) and _is_seal(entry.facts)):
            raise LockError(f"a digest of {target} is not a sha256")
    return lock


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


def _is_seal(text: str) -> bool:
    return len(text) == 64 and set(text) <= _HEX
