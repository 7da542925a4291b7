"""Compare what a spec gives with what is on disk, tell the kinds of difference apart, and say what mends each."""

from __future__ import annotations

import os
from enum import StrEnum
from shlex import quote

from msgspec import Struct, structs

from llmdgen.output.lock import LOCK_NAME, Entry, Lock, digest, dump
from llmdgen.output.tree import Rendered, merged, read_file, read_lock, wanted

MOST_LINES = 100  # of the diff of a file
MOST_LINES_OF_ONE = 20  # where only one side has it
LONGEST_LINE = 300
MANIFESTS = "manifests"  # the directory of a target that only --manifests gives


class Kind(StrEnum):
    """What became of a file since the last render."""

    STALE = "stale"
    EDITED = "hand-edited"
    MISSING = "missing"
    ORPHANED = "orphaned"
    FOREIGN = "not ours"


class Difference(Struct, frozen=True):
    """A file that is not what the spec gives: why, the unified diff from the disk to the spec, and what mends it.

    Of a long diff the beginning is there, and how much more there is.
    """

    kind: Kind
    path: str
    says: str
    diff: str
    mend: str


def compare(out: str, name: str, rendered: dict[str, Rendered], command: str, whole: bool = True) -> list[Difference]:
    """Every difference below <out>/<name>/, by path; `command` is the render that mends most of them.

    Raises OutputError where the lock cannot be used or something other than a regular file is in the way.
    """
    root = os.path.join(out, name)
    old = read_lock(root)
    new = merged(old, rendered, whole)
    owned, files = old.owned(), wanted(rendered)
    has_manifests = any(map(_is_manifest, files))
    differences = []
    for path in sorted(files.keys() | (owned.keys() - new.owned().keys())):
        there = read_file(out, name, path)
        shown = os.path.join(root, path)
        if path not in files:
            if there is not None:
                orphan = _orphaned(shown, there, digest(there) == owned[path], command)
                differences.append(_manifest(orphan, command) if _is_manifest(path) and not has_manifests else orphan)
        elif there is None:
            says = "no such file" if path in owned else "never rendered"
            differences.append(Difference(Kind.MISSING, shown, says, _diff(shown, None, files[path]), command))
        elif there != files[path]:
            target = path.partition("/")[0]
            reason = _why(old.targets.get(target), rendered[target])
            differences.append(_changed(shown, there, files[path], owned.get(path), reason, command))
    if not old.targets and any(each.kind is Kind.FOREIGN for each in differences):
        lock = _without_lock(root, command)
        return [lock, *(_unknown(each, lock.mend) if each.kind is Kind.FOREIGN else each for each in differences)]
    return differences or _lock_alone(root, old, new, command)


def _without_lock(root: str, command: str) -> Difference:
    """Without a lock nothing is known to be llmdgen's, and all that differs is in the way."""
    path = os.path.join(root, LOCK_NAME)
    says = "no such file, so that of the files beside it none is known to be llmdgen's"
    mend = f"git restore {quote(path)} && {command}; where it has none: mv {quote(root)} {quote(root)}.old && {command}"
    return Difference(Kind.MISSING, path, says, "", mend)


def _is_manifest(path: str) -> bool:
    return path.split("/")[1] == MANIFESTS


def _manifest(found: Difference, command: str) -> Difference:
    says = "it was rendered with --manifests, and this call is without"
    return structs.replace(found, says=says, mend=f"add --manifests to this call, or remove it: {command}")


def _unknown(found: Difference, mend: str) -> Difference:
    return structs.replace(found, says="it differs, and no lock says who wrote it", mend=mend)


def _orphaned(path: str, there: bytes, is_untouched: bool, command: str) -> Difference:
    if is_untouched:
        says, mend = "an earlier render wrote it, and the spec no longer gives it", command
    else:
        says, mend = "the spec no longer gives it, and it was edited by hand", f"rm {quote(path)} && {command}"
    return Difference(Kind.ORPHANED, path, says, _diff(path, there, None), mend)


def _changed(path: str, there: bytes, given: bytes, seal: str | None, reason: str, command: str) -> Difference:
    diff = _diff(path, there, given)
    if seal is None:
        says = "llmdgen did not write it, and will not replace it"
        return Difference(Kind.FOREIGN, path, says, diff, f"mv {quote(path)} {quote(path + '.theirs')} && {command}")
    if digest(there) == seal:
        return Difference(Kind.STALE, path, reason, diff, command)
    if there.replace(b"\r\n", b"\n") == given:
        says = "its line breaks are CRLF, and all else is right"
        fix = "keep git from changing them (`* text eol=lf` in .gitattributes of the output directory)"
        return Difference(Kind.EDITED, path, says, "", f"{fix}, then {command}")
    says = "changed since it was rendered"
    if digest(given) != seal:
        says += f"; {reason}"
    return Difference(Kind.EDITED, path, says, diff, f"put the change into the spec, then {command}")


def _why(entry: Entry | None, made: Rendered) -> str:
    """What is different from the render that wrote a target."""
    if entry is None:
        return "the lock knows nothing of it"
    reasons = []
    if entry.spec != made.spec:
        reasons.append("the spec changed")
    if entry.tool != made.tool:
        reasons.append(f"llmdgen {entry.tool} wrote it, this is {made.tool}")
    if entry.facts != made.facts:
        reasons.append("the facts changed")
    return ", ".join(reasons) or "its inputs changed (charts, config.json or the code of llmdgen)"


def _lock_alone(root: str, old: Lock, new: Lock, command: str) -> list[Difference]:
    """The lock is not what it would be though every file is: it is missing, or names other inputs or files."""
    before, after = dump(old), dump(new)
    if before == after:
        return []
    path = os.path.join(root, LOCK_NAME)
    kind, says = (
        (Kind.STALE, "the files are right, what it says of them is not")
        if old.targets
        else (Kind.MISSING, "no such file")
    )
    return [
        Difference(kind, path, says, _diff(path, before.encode() if old.targets else None, after.encode()), command)
    ]


def _diff(path: str, there: bytes | None, given: bytes | None) -> str:
    """The unified diff from the disk to what the spec gives, no longer than somebody reads."""
    from difflib import unified_diff

    before, after = (_lines(data) for data in (there, given))
    names = (path if there is not None else os.devnull, path if given is not None else os.devnull)
    lines = [_short(line) for line in unified_diff(before, after, *names)]
    most = MOST_LINES if None not in (there, given) else MOST_LINES_OF_ONE
    if len(lines) > most + 1:
        lines[most:] = [f"... {len(lines) - most} more lines\n"]
    return "".join(lines)


def _short(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}...\n"


def _lines(data: bytes | None) -> list[str]:
    """Lines as a terminal can show them: what a strange file holds besides text is escaped."""
    text = (data or b"").decode("utf-8", "backslashreplace")
    shown = (each if each.isprintable() or each in "\t\n" else each.encode("unicode_escape").decode() for each in text)
    lines = "".join(shown).split("\n")
    return [f"{line}\n" for line in (lines[:-1] if lines[-1] == "" else lines)]
