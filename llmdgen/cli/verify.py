"""`llmdgen verify`: what helmfile and helm make of rendered directories, checked object by object."""

from __future__ import annotations

from pathlib import Path

import click

from llmdgen.cli import options, status
from llmdgen.cli.terminal import complain, count, say
from llmdgen.findings import in_directory
from llmdgen.verify.places import lines
from llmdgen.verify.run import fetch, verify
from llmdgen.verify.state import VerifyError

HELMFILE = "helmfile.yaml"


@click.command(epilog="Exit codes: 0 no error, 1 an error, 64 wrong usage.")
@click.argument("directories", nargs=-1, required=True, metavar="DIR...", type=click.Path(exists=True, file_okay=False))
@options.folder("--charts", "Charts for machines without a network, by their names.")
@options.folder(
    "--fetch-charts",
    "The same, and helm pulls there first what is missing: the router's chart of each llm-d release.",
    exists=False,
)
@options.folder("--crds", "CustomResourceDefinitions to check with.")
def command(directories: tuple[str, ...], charts: str | None, fetch_charts: str | None, crds: str | None) -> int:
    """Run helmfile and helm on rendered directories, or on all below DIR, and check the manifests they give.

    Nothing of the directories is executed: what a render does not write is refused before helmfile is started.
    """
    if charts and fetch_charts:
        raise click.UsageError("--charts and --fetch-charts name the same directory: give one of them")
    found, folder = _rendered(directories), fetch_charts or charts
    errors, once = 0, set[str]()
    for directory in found:
        try:
            if fetch_charts:
                fetch(directory, Path(fetch_charts))
            problems = verify(directory, Path(folder) if folder else None, Path(crds) if crds else None)
        except VerifyError as error:
            complain(f"{directory}: error: {error}")
            errors += 1
            continue
        general = [in_directory("llmdgen verify", each) for each in problems if not each.of]
        for line in lines(directory, [each for each in problems if each.of]):
            complain(line)
        for line in (each for each in dict.fromkeys(general) if each not in once):
            complain(line)
        once.update(general)
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
