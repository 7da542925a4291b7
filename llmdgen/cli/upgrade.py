"""`llmdgen upgrade`: spec files rewritten for a later llm-d release, and what that changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from llmdgen.cli import options, status
from llmdgen.cli.terminal import count, folded, has_colour, report, tell, visible, width_of
from llmdgen.facts.catalogue import release_names
from llmdgen.facts.upgrades import newest
from llmdgen.findings import Located, Place, SpecError

if TYPE_CHECKING:
    from llmdgen.upgrade.effect import Effect
    from llmdgen.upgrade.run import Upgraded


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
    from llmdgen.upgrade.effect import Effect
    from llmdgen.upgrade.effect import effect as look
    from llmdgen.upgrade.run import upgrade

    try:
        upgraded = upgrade(_text(file), file, release)
    except SpecError as error:
        report(error.findings)
        return False
    if not upgraded.since:
        _print(f"{file}: {release} already", "", Effect(), (), form)
        return True
    effect = look(upgraded, release)
    unwritten = [] if effect.is_wrong or dry_run else _write(upgraded)
    is_wrong = effect.is_wrong or bool(unwritten)
    findings = (*unwritten, *(effect.at_old if is_wrong or dry_run else effect.at_new))
    title = f"{file}: from {' and '.join(upgraded.since)} to {release}"
    if is_wrong:
        title += f": nothing written, {count(sum(each.is_error for each in findings), 'error')}"
    elif dry_run:
        title += ": nothing written, because of --dry-run"
    diff = ""
    if not upgraded.is_refused:
        from llmdgen.upgrade.show import edits

        diff = edits(visible(file), upgraded.old, upgraded.new, colour=form == "text" and has_colour())
    _print(title, diff, effect, findings, form)
    report(findings, notes=True)
    return not is_wrong


def _text(file: str) -> str:
    """The text of a spec file. Raises SpecError where it cannot be read, or is not a spec."""
    from llmdgen.spec.load import load_all
    from llmdgen.spec.read import STANDARD_INPUT

    if file == STANDARD_INPUT:
        raise SpecError([_unwritable(file, "it is standard input")])
    if os.path.exists(file) and not os.path.isfile(file) and not os.path.isdir(file):
        raise SpecError([_unwritable(file, "it is not a regular file")])
    load_all(file)
    with open(file, encoding="utf-8", newline="") as opened:
        return opened.read()


def _write(upgraded: Upgraded) -> list[Located]:
    """Write the new text; why it could not be written."""
    from llmdgen.output.disk import replace

    why_not = replace(upgraded.path, upgraded.new.encode())
    return [_unwritable(upgraded.path, why_not)] if why_not else []


def _unwritable(file: str, reason: str) -> Located:
    from llmdgen.upgrade.rules import NO_FILE, said

    fix = "name the file itself, and see that it and its directory may be written"
    return said(NO_FILE, Place(file), (), f"the file cannot be replaced: {reason}", fix)


def _print(title: str, diff: str, effect: Effect, findings: tuple[Located, ...], form: str) -> None:
    if form == "markdown":
        from llmdgen.upgrade.show import markdown

        click.echo(markdown(visible(title), diff, effect, findings))
        return
    if diff:
        click.echo(diff)
    if effect.difference is not None:
        from llmdgen.diff.text import write

        click.echo(folded(write(effect.difference, colour=has_colour())))
    for way in effect.ways:
        from llmdgen.upgrade.replacement import WIDTH, text

        click.echo(text(way, width_of(WIDTH)))
    tell(title)
