"""`llmdgen diff`: what changed in meaning between two specs, rendered trees or git revisions."""

from __future__ import annotations

import os
import sys

import click

from llmdgen.cli import options, status
from llmdgen.cli.terminal import complain, report
from llmdgen.diff.fold import Side
from llmdgen.diff.git import DEFAULT_PATH


@click.command(epilog="Exit codes: 0 the same, 2 differs, 1 an error, 64 wrong usage.")
@click.argument("sides", nargs=-1, required=True, metavar="OLD NEW | A..B | A...B [-- PATH]", type=options.SPEC_PATH)
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
def command(sides: tuple[str, ...], form: str) -> int:
    """Say what changed between OLD and NEW, and what that does to a deployment that runs.

    Each side is a spec, a rendered directory, or a git revision, whose tree below PATH (default: rendered) is read.
    A..B compares two revisions, A...B the second with the merge base of both. Comments, order and spelling are noise.
    """
    from llmdgen.diff.fold import difference
    from llmdgen.diff.problem import DiffError
    from llmdgen.findings import SpecError

    try:
        found = difference(*_sides(sides))
    except DiffError as error:
        complain(str(error))
        return status.ERROR
    except SpecError as error:
        report(error.findings)
        return status.ERROR
    if form == "json":
        from llmdgen.diff.json import write as write_json

        text = write_json(found)
    elif form == "markdown":
        from llmdgen.diff.markdown import write as write_markdown

        text = write_markdown(found)
    else:
        from llmdgen.diff.text import write as write_text

        text = write_text(found, colour=sys.stdout.isatty())
    click.echo(text, nl=False)
    return status.OK if found.is_empty else status.DIFFERS


def _sides(given: tuple[str, ...]) -> tuple[Side, Side]:
    """Both sides. Raises click.UsageError, DiffError and SpecError."""
    from llmdgen.diff.git import range_sides, split_range

    first = given[0]
    parts = None if os.path.exists(first) else split_range(first)
    if parts is not None:
        if len(given) > 2:
            raise click.UsageError("a range of revisions takes one path behind it")
        return range_sides(*parts, _path(given[1:]))
    if len(given) == 1:
        raise click.UsageError(f"{first!r} is one side: name the other, or two revisions as A...B")
    if len(given) > 3:
        raise click.UsageError("two sides and one path at most")
    path = _path(given[2:])
    return _side(first, path), _side(given[1], path)


def _path(given: tuple[str, ...]) -> str:
    return given[0] if given else DEFAULT_PATH


def _side(name: str, path: str) -> Side:
    """A side by what its name is: a directory, a file, else a revision."""
    if os.path.isdir(name):
        from llmdgen.diff.sources import directory_side

        return directory_side(name)
    if name == "-" or os.path.exists(name) or name.endswith((".yaml", ".yml")):
        from llmdgen.diff.sources import spec_side

        return spec_side(name)
    from llmdgen.diff.git import revision_side

    return revision_side(name, path)
