"""`llmdgen validate`: every check, and nothing written."""

from __future__ import annotations

import os
from itertools import chain

import click

from llmdgen.api import judged
from llmdgen.cli import options, status, work
from llmdgen.cli.terminal import complain, count, report, tell
from llmdgen.findings import Located, Severity
from llmdgen.planning.model import Plan
from llmdgen.report.formats import FORMATS, write


def _reports(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each FORMAT=FILE as two."""
    found = [(form, file) for form, _, file in (each.partition("=") for each in given)]
    for each, (form, file) in zip(given, found, strict=True):
        if form not in FORMATS or not file:
            says = f"{each!r} is not FORMAT=FILE, such as sarif=findings.sarif; the formats are {', '.join(FORMATS)}"
            raise click.BadParameter(says, context, parameter)
    return found


@click.command(epilog="Exit codes: 0 no error, and with --strict no warning; 1 else; 64 wrong usage.")
@options.SPEC_FILES
@options.INSTANCE_TYPES
@options.form(*FORMATS, text="text goes to stderr, one finding a line; the others to stdout.")
@click.option(
    "--report",
    "reports",
    metavar="FORMAT=FILE",
    multiple=True,
    callback=_reports,
    help="Write the findings to FILE too, in that format; may be given again.",
)
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
@click.option("--engine", is_flag=True, help="Ask the installed vLLM and NIXL too; takes seconds. Needs llmdgen[vllm].")
def command(
    specs: tuple[str, ...],
    instance_types: tuple[str, ...],
    form: str,
    reports: list[tuple[str, str]],
    strict: bool,
    engine: bool,
) -> int:
    """Run every check on specs and write nothing.

    A SPEC is a file, or - for standard input. Findings stand file by file, each file's in its own order.
    """
    read, findings = work.read(specs)
    findings += chain(*work.shared_names(read).values())
    plans: list[Plan] = []
    silenced: list[tuple[Located, str]] = []
    for spec, names in zip(read, options.chosen(read, instance_types), strict=True):
        done = judged(spec, names)
        findings += done.findings
        reasons = {each.code: each.reason for each in spec.asked.suppress}
        silenced += [(each, reasons[each.finding.code]) for each in done.silenced]
        plans += done.plans
    unasked = ""
    if engine:
        from llmdgen.checks.engine import installed_findings
        from llmdgen.engine.installed import NoVllm

        try:
            findings += [found for plan in plans for found in installed_findings(plan)]
        except NoVllm as error:
            unasked = str(error)
    once = work.in_order_of(specs, findings)
    number = {each: sum(found.finding.severity is each for found in once) for each in Severity}
    if form == "text":
        asking = [each for each in once if each.finding.fix or each.finding.severity is not Severity.NOTE]
        report(asking, notes=True)
        total = ", ".join([count(len(read), "spec"), *(count(number[each], each.value) for each in Severity)])
        if len(asking) < len(once):
            total += " (those that ask for nothing are in SUMMARY.md)"
        tell(total + (", and --strict fails for warnings" if strict and number[Severity.WARNING] else ""))
    else:
        click.echo(write(form, once, silenced), nl=False)
    inputs = {*specs, *(place.path for spec in read for pair in spec.places.values() for place in pair)}
    are_written = [_written(file, each, once, silenced, inputs) for each, file in reports]
    if unasked:
        complain(f"llmdgen: error: --engine: {unasked}")
    failing = number[Severity.ERROR] + (number[Severity.WARNING] if strict else 0)
    return status.ERROR if failing or unasked or not all(are_written) else status.OK


def _written(
    file: str, form: str, findings: list[Located], silenced: list[tuple[Located, str]], inputs: set[str]
) -> bool:
    """Whether a report could be written to a file, which is none of the inputs; why not is said."""
    try:
        if os.path.exists(file) and any(os.path.exists(each) and os.path.samefile(file, each) for each in inputs):
            raise OSError(0, "it is a spec, or a base of one")
        with open(file, "w", encoding="utf-8", newline="\n") as opened:
            opened.write(write(form, findings, silenced))
    except OSError as error:
        complain(f"{file}: error: the report cannot be written: {error.strerror} (fix: name another file)")
        return False
    return True
