"""`llmdgen upgrade`: spec files rewritten for a later llm-d release, and what that changes."""

from __future__ import annotations

import os

import click

from llmdgen.cli import options, status
from llmdgen.cli.terminal import count, folded, has_colour, report, tell, visible, width_of
from llmdgen.diff.text import write
from llmdgen.facts.catalogue import release_names
from llmdgen.facts.upgrades import newest
from llmdgen.findings import Located, Place, SpecError
from llmdgen.output.disk import replace
from llmdgen.spec.read import STANDARD_INPUT, text_of
from llmdgen.upgrade.replacement import WIDTH, text
from llmdgen.upgrade.rules import NO_FILE
from llmdgen.upgrade.run import Effect, effect, upgrade
from llmdgen.upgrade.show import edits, markdown


@click.command(
    epilog="Exit codes: 0 upgraded, or nothing to do; 1 an error, and that file is as it was; 64 wrong usage."
)
@options.SPEC_FILES
@click.option(
    "--to",
    "release",
    metavar="RELEASE",
    type=click.Choice(release_names()),
    help="The llm-d release; default: the newest.",
)
@click.option("--dry-run", is_flag=True, help="Show everything and write nothing.")
@options.form("text", "markdown")
def command(specs: tuple[str, ...], release: str | None, dry_run: bool, form: str) -> int:
    """Rewrite specs for a later llm-d release: spec.release, and what that release needs otherwise.

    Lines that need no change stay as they are to the byte. Shows the edits, what they do to the deployment, the way
    there where it has to be replaced, and what all checks say of the new spec. A file is written only where nothing of
    it is wrong and nothing needs a person.
    """
    target = release or newest()
    went_well = [_upgrade(file, target, dry_run, form) for file in dict.fromkeys(specs)]
    return status.OK if all(went_well) else status.ERROR


def _upgrade(file: str, release: str, dry_run: bool, form: str) -> bool:
    """Upgrade one file, and whether that went well."""
    try:
        _refuse_special(file)
        upgraded = upgrade(text_of(file), file, release)
    except SpecError as error:
        report(error.findings)
        return False
    if not upgraded.since:
        _print(f"{file}: {release} already", "", Effect(), (), form)
        return True
    comes_of_it = effect(upgraded, release)
    is_wrong, findings = comes_of_it.is_wrong, comes_of_it.at_old
    if not is_wrong and not dry_run:
        why_not = replace(file, upgraded.new.encode())
        is_wrong = bool(why_not)
        findings = (_unwritable(file, why_not), *findings) if why_not else comes_of_it.at_new
    title = f"{file}: from {' and '.join(upgraded.since)} to {release}"
    if is_wrong:
        title += f": nothing written, {count(sum(each.is_error for each in findings), 'error')}"
    elif dry_run:
        title += ": nothing written, because of --dry-run"
    diff = ""
    if not upgraded.is_refused:
        diff = edits(visible(file), upgraded.old, upgraded.new, colour=form == "text" and has_colour())
    _print(title, diff, comes_of_it, findings, form)
    report(findings, notes=True)
    return not is_wrong


def _refuse_special(file: str) -> None:
    """Raises SpecError for what cannot be written back, before it is read."""
    if file == STANDARD_INPUT:
        raise SpecError([_unwritable(file, "it is standard input")])
    if os.path.exists(file) and not os.path.isfile(file) and not os.path.isdir(file):
        raise SpecError([_unwritable(file, "it is not a regular file")])


def _unwritable(file: str, reason: str) -> Located:
    fix = "name the file itself, and see that it and its directory may be written"
    return Located(NO_FILE.at(says=f"the file cannot be replaced: {reason}", fix=fix), Place(file))


def _print(title: str, diff: str, comes_of_it: Effect, findings: tuple[Located, ...], form: str) -> None:
    if form == "markdown":
        click.echo(markdown(visible(title), diff, comes_of_it, findings))
        return
    if diff:
        click.echo(diff)
    if comes_of_it.difference is not None:
        click.echo(folded(write(comes_of_it.difference, colour=has_colour())))
    for way in comes_of_it.ways:
        click.echo(text(way, width_of(WIDTH)))
    tell(title)
