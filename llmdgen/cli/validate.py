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
    number = {each: sum(found.finding.severity is each for found in once) for each in Severity}
    if form == "text":
        report(once, notes=True)
        say(", ".join([count(len(read), "spec"), *(count(number[each], each.value) for each in Severity)]))
    else:
        from llmdgen.report.formats import write

        click.echo(write(form, once), nl=False)
    failing = number[Severity.ERROR] + (number[Severity.WARNING] if strict else 0)
    return status.ERROR if failing else status.OK
