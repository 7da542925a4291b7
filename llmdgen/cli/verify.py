"""`llmdgen verify`: what helmfile and helm make of rendered directories, checked object by object."""

from __future__ import annotations

from pathlib import Path

import click

from llmdgen.cli import options, status
from llmdgen.cli.terminal import complain, count, say

HELMFILE = "helmfile.yaml"


@click.command(epilog="Exit codes: 0 no error, 1 an error, 64 wrong usage.")
@click.argument("directories", nargs=-1, required=True, metavar="DIR...", type=click.Path(exists=True, file_okay=False))
@options.charts("Charts for machines without a network, by their names.")
@click.option(
    "--crds",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="CustomResourceDefinitions to check with.",
)
def command(directories: tuple[str, ...], charts: str | None, crds: str | None) -> int:
    """Run helmfile and helm on rendered directories, or on all below DIR, and check the manifests they give."""
    from llmdgen.verify.places import lines
    from llmdgen.verify.run import verify
    from llmdgen.verify.tools import VerifyError

    errors = 0
    for directory in _rendered(directories):
        try:
            problems = verify(directory, Path(charts) if charts else None, Path(crds) if crds else None)
        except VerifyError as error:
            complain(f"{directory}: error: {error}")
            errors += 1
            continue
        for line in lines(directory, problems):
            complain(line)
        wrong = sum(each.is_error for each in problems)
        errors += wrong
        say(f"{directory}: {count(wrong, 'error')}, {len(problems) - wrong} further")
    return status.ERROR if errors else status.OK


def _rendered(directories: tuple[str, ...]) -> list[Path]:
    """The directories with a helmfile.yaml: those given, or all below them. Raises click.UsageError where none is."""
    found: list[Path] = []
    for name in directories:
        here = Path(name)
        below = [here] if (here / HELMFILE).is_file() else sorted(file.parent for file in here.rglob(HELMFILE))
        if not below:
            raise click.UsageError(f"no {HELMFILE} in or below {name}; name a directory that `llmdgen render` wrote")
        found += below
    return list(dict.fromkeys(found))
