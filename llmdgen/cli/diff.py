"""`llmdgen diff`: what changed in meaning between two specs, rendered trees or git revisions."""

from __future__ import annotations

import os
from importlib import import_module

import click
from msgspec import structs

from llmdgen.cli import options, status
from llmdgen.cli.terminal import complain, folded, has_colour, report
from llmdgen.diff.fold import Side, Stale, difference
from llmdgen.diff.git import DEFAULT_PATH, is_checked_out, range_sides, revision_side, split_range
from llmdgen.diff.sources import directory_side, spec_side
from llmdgen.diff.stale import stale
from llmdgen.diff.yaml import DiffError
from llmdgen.findings import SpecError


@click.command(epilog="Exit codes: 0 the same, 2 differs, 1 an error, 64 wrong usage.")
@click.argument("sides", nargs=-1, required=True, metavar="OLD [NEW] | A..B | A...B [-- PATH]", type=options.SPEC_PATH)
@options.form("text", "markdown", "json")
def command(sides: tuple[str, ...], form: str) -> int:
    """Say what changed between OLD and NEW, and what that does to a deployment that runs.

    Each side is a spec, a rendered directory, or a git revision, whose tree below PATH (default: rendered) is read, or
    whose specs where PATH is a YAML file, as REVISION:PATH says too. A..B compares two revisions, A...B the second with
    the merge base of both, a revision alone with the directory PATH as it is on disk. Comments and the order of keys
    are noise; where the cluster gets something else, that is said.
    A directory on the new side, or what is checked out of it, that is not what its spec gives is said to be stale.
    """
    try:
        found = structs.replace(difference(*_sides(sides)), stale=_stale(sides))
    except DiffError as error:
        complain(str(error))
        return status.ERROR
    except SpecError as error:
        report(error.findings)
        return status.ERROR
    write = import_module(f"llmdgen.diff.{form}").write
    click.echo(folded(write(found, colour=has_colour())) if form == "text" else write(found), nl=False)
    return status.OK if found.is_empty else status.DIFFERS


def _sides(given: tuple[str, ...]) -> tuple[Side, Side]:
    """Both sides. Raises click.UsageError, DiffError and SpecError."""
    first, parts = given[0], _range(given[0])
    if parts is not None:
        if len(given) > 2:
            raise click.UsageError("a range of revisions takes one path behind it")
        return range_sides(*parts, given[1] if given[1:] else DEFAULT_PATH)
    if len(given) == 1:
        if _is_file(first) or os.path.isdir(first):
            raise click.UsageError(f"{first!r} is one side: name the other, or two revisions as A...B")
        return _pair(first, DEFAULT_PATH, DEFAULT_PATH)
    if len(given) > 3:
        raise click.UsageError("two sides and one path at most")
    return _pair(first, given[1], given[2] if len(given) > 2 else None)


def _stale(given: tuple[str, ...]) -> tuple[Stale, ...]:
    """Where the new side, being a directory or what is checked out of a revision, is not what its specs give; a spec on
    the old side is compared with what it gave once, which nobody takes for what it gives now."""
    parts, new = _range(given[0]), given[1] if given[1:] else DEFAULT_PATH
    if not os.path.isdir(new) or (_is_file(given[0]) if parts is None else not is_checked_out(parts[1])):
        return ()
    return stale(new)


def _range(side: str) -> tuple[str, str, bool] | None:
    """The two revisions of a side that is a range of them, None for any other."""
    return None if os.path.exists(side) else split_range(side)


def _is_file(name: str) -> bool:
    """Whether a side is a spec: standard input, anything that can be read as a file, or what is called like one."""
    can_be_read = os.path.exists(name) and not os.path.isdir(name)
    return name == "-" or can_be_read or name.endswith((".yaml", ".yml"))


def _pair(old: str, new: str, path: str | None) -> tuple[Side, Side]:
    """Two sides, each what its name is: a directory, a file, else a revision. A revision beside a directory is read at
    that directory's own path, a spec beside a tree is compared with its own deployments there alone."""
    sides = _side(old, new, path, is_new=False), _side(new, old, path, is_new=True)
    specs = [_is_file(name) and not os.path.isdir(name) for name in (old, new)]
    if specs[0] == specs[1]:
        return sides
    names = {name for name, _ in sides[specs.index(True)]}
    own, all_of = sides[specs.index(True)], sides[specs.index(False)]
    beside = {key: files for key, files in all_of.items() if key[0] in names} or all_of
    return (own, beside) if specs[0] else (beside, own)


def _side(name: str, other: str, path: str | None, is_new: bool) -> Side:
    if os.path.isdir(name):
        return directory_side(name)
    revision, colon, file = name.partition(":")
    in_revision = bool(colon) and _is_file(file) and not os.path.exists(name)
    if _is_file(name) and not in_revision:
        return spec_side(name, is_checked=is_new)
    if in_revision:
        return revision_side(revision, file, is_new=is_new)
    if path is None and os.path.isdir(other):
        return revision_side(name, os.path.relpath(other), DEFAULT_PATH)
    return revision_side(name, path or DEFAULT_PATH, is_new=is_new)
