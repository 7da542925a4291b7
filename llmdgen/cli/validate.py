"""`llmdgen validate`: every check, and nothing written."""

from __future__ import annotations

import click

from llmdgen.cli import making, options, status, work
from llmdgen.cli.terminal import count, report, say
from llmdgen.findings import Severity


@click.command()
@options.SPEC_FILES
@options.instance_types()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="text goes to stderr, one finding a line; the others to stdout.",
)
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
def command(specs: tuple[str, ...], instance_types: tuple[str, ...], form: str, strict: bool) -> int:
    """Run every check on specs and write nothing."""
    read, findings = work.read(specs)
    findings += making.shared_names(read)
    for spec, names in zip(read, options.chosen(read, instance_types), strict=True):
        findings += work.plan(spec, names).findings
    once = list(dict.fromkeys(findings))
    errors = sum(found.is_error for found in once)
    warnings = sum(found.finding.severity is Severity.WARNING for found in once)
    if form == "text":
        report(once)
        say(f"{count(len(read), 'spec')}, {count(errors, 'error')}, {count(warnings, 'warning')}")
    else:
        from llmdgen.report.formats import write

        click.echo(write(form, once), nl=False)
    return status.ERROR if errors or (strict and warnings) else status.OK
