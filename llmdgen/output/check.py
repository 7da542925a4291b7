"""Compare what a spec gives with what is on disk, tell the kinds of difference apart, and say what mends each."""

from __future__ import annotations

import os
from collections.abc import Collection
from enum import StrEnum
from shlex import quote

from msgspec import Struct, structs

from llmdgen.output.disk import Standing
from llmdgen.output.lock import LOCK_NAME, Entry, Lock, digest, dump
from llmdgen.output.tree import Rendered, merged, read_lock, wanted
from llmdgen.secrets import mask
from llmdgen.shown import visible

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
    """A file that is not what the spec gives: why, the unified diff from the disk to the spec, or the beginning of a
    long one, and what mends it."""

    kind: Kind
    path: str
    says: str
    diff: str
    mend: str


def compare(
    out: str,
    name: str,
    rendered: dict[str, Rendered],
    command: str,
    whole: bool = True,
    of_the_user: Collection[str] = (),
) -> list[Difference]:
    """Every difference below <out>/<name>/, by path; `command` is the render that mends most of them, `of_the_user` are
    names of files that people put into a target. Raises OutputError where the lock cannot be used or something other
    than a regular file is in the way."""
    there = Standing(os.path.join(out, name))
    old = read_lock(there)
    new = merged(old, rendered, whole)
    owned, files = old.owned(), wanted(rendered)
    ours = files.keys() | new.owned().keys()
    has_manifests = any(map(_is_manifest, files))
    left = set(there.left)
    found = []
    for path in sorted((files.keys() | owned.keys() | there.paths) - (new.owned().keys() - files.keys()) - {LOCK_NAME}):
        full = os.path.join(there.root, path)
        if path not in ours and path not in owned:
            if path.partition("/")[2] not in of_the_user:
                found.append(_unknown(full, command if path in left else ""))
            continue
        before, given, target = there.read(path), files.get(path), path.partition("/")[0]
        if before == given:
            continue
        why = _why(old.targets.get(target), rendered[target]) if given is not None else ""
        seal = owned.get(path)
        if before is not None and seal and digest(before) != seal and there.is_staged(path, seal):
            seal, why = digest(before), "a render was broken off before it wrote it"
        each = _difference(full, before, given, seal, why, command)
        if given is None and _is_manifest(path) and not has_manifests:
            says = "it was rendered with --manifests, and this call is without"
            each = structs.replace(each, says=says, mend=f"add --manifests to this call, or remove it: {command}")
        found.append(each)
    if not old.targets and any(each.kind is Kind.FOREIGN and each.diff for each in found):
        return _without_lock(there.root, found, command)
    return found or _lock_alone(there.root, old, new, command)


def leftover(out: str, name: str, command: str) -> Difference:
    """A whole directory that no spec gives any more, without the text of every file."""
    mend = f"`helmfile destroy` in its directories where it is deployed, then {command}"
    return Difference(Kind.ORPHANED, os.path.join(out, name), f"no spec is called {name}", "", mend)


def _unknown(path: str, command: str) -> Difference:
    """A file that no render put in its place: whatever deploys the directory could apply it."""
    if command:
        return Difference(Kind.ORPHANED, path, "a render that was broken off left it", "", command)
    says = "no render wrote it, and what deploys the directory may apply it"
    return Difference(Kind.FOREIGN, path, says, "", f"keep it elsewhere, or rm {quote(path)}")


def _is_manifest(path: str) -> bool:
    return path.split("/")[1:2] == [MANIFESTS]


def _difference(
    path: str, there: bytes | None, given: bytes | None, seal: str | None, why: str, command: str
) -> Difference:
    """What became of a file whose bytes are `there`, not the `given` ones, and whose digest was `seal`."""
    diff, mend = _diff(path, there, given), command
    is_as_written = there is not None and digest(there) == seal
    if there is None:
        kind, says = Kind.MISSING, "no such file" if seal else "never rendered"
    elif given is None and is_as_written:
        kind, says = Kind.ORPHANED, "an earlier render wrote it, and the spec no longer gives it"
    elif given is None:
        kind, says = Kind.ORPHANED, "the spec no longer gives it, and it was edited by hand"
        mend = f"rm {quote(path)} && {command}"
    elif seal is None:
        kind, says = Kind.FOREIGN, "llmdgen did not write it, and will not replace it"
        mend = f"mv {quote(path)} {quote(path + '.theirs')} && {command}"
    elif is_as_written:
        kind, says = Kind.STALE, why
    elif there.replace(b"\r\n", b"\n") == given:
        kind, says, diff = Kind.EDITED, "its line breaks are CRLF, and all else is right", ""
        fix = "keep git from changing them (`* text eol=lf` in .gitattributes of the output directory)"
        mend = f"{fix}, then {command}"
    else:
        kind, says = Kind.EDITED, "changed since it was rendered" + (f"; {why}" if digest(given) != seal else "")
        mend = f"put the change into the spec, then {command}"
    return Difference(kind, path, says, diff, mend)


def _without_lock(root: str, found: list[Difference], command: str) -> list[Difference]:
    """Without a lock nothing is known to be llmdgen's, and all that differs is in the way."""
    path = os.path.join(root, LOCK_NAME)
    says = "no such file, so that of the files beside it none is known to be llmdgen's"
    mend = f"git restore {quote(path)} && {command}; where it has none: mv {quote(root)} {quote(root)}.old && {command}"
    foreign = "it differs, and no lock says who wrote it"
    return [
        Difference(Kind.MISSING, path, says, "", mend),
        *(
            structs.replace(each, says=foreign, mend=mend) if each.kind is Kind.FOREIGN and each.diff else each
            for each in found
        ),
    ]


def _why(entry: Entry | None, made: Rendered) -> str:
    """What is different from the render that wrote a target."""
    if entry is None:
        return "the lock knows nothing of it"
    reasons = {
        "the spec changed": entry.spec != made.spec,
        f"llmdgen {entry.tool} wrote it, this is {made.tool}": entry.tool != made.tool,
        "the facts changed": entry.facts != made.facts,
    }
    changed = ", ".join(reason for reason, holds in reasons.items() if holds)
    return changed or "its inputs changed (charts, config.json or the code of llmdgen)"


def _lock_alone(root: str, old: Lock, new: Lock, command: str) -> list[Difference]:
    """The lock is not what it would be though every file is: it is missing, or names other inputs or files."""
    path, before, after = os.path.join(root, LOCK_NAME), dump(old), dump(new)
    if before == after:
        return []
    if not old.targets:
        return [Difference(Kind.MISSING, path, "no such file", _diff(path, None, after.encode()), command)]
    diff = _diff(path, before.encode(), after.encode())
    return [Difference(Kind.STALE, path, "the files are right, what it says of them is not", diff, command)]


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
    """Lines as a terminal can show them, without secrets: what a strange file holds besides text is escaped."""
    lines = mask((data or b"").decode("utf-8", "backslashreplace")).split("\n")
    return [f"{visible(line)}\n" for line in (lines[:-1] if lines[-1] == "" else lines)]
