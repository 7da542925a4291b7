"""`llmdgen render`: from specs to directories, or to what differs from them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from shlex import join

import click
from msgspec import structs

from llmdgen.cli import making, options, outcome, status, work
from llmdgen.cli.making import Made
from llmdgen.cli.outcome import Outcome
from llmdgen.cli.processes import results
from llmdgen.cli.terminal import complain, count, report, say, tell
from llmdgen.findings import Located
from llmdgen.output.disk import alone
from llmdgen.output.tree import leftovers
from llmdgen.spec.model import Spec


@click.command(epilog="Exit codes: 0 done; with --check 0 the same, 2 differs; 1 an error; 64 wrong usage.")
@options.SPEC_FILES
@options.OUTPUT
@options.INSTANCE_TYPES
@click.option("--manifests", is_flag=True, help="Write the manifests too that helm makes of it, one object a file.")
@options.folder("--charts", "Charts for machines without a network; helmfile.yaml names them by a relative path.")
@click.option(
    "--prerequisites",
    is_flag=True,
    help=f"Write DIR/{making.CLUSTER}/ too: what the clusters of these specs need. Give all of a cluster at once.",
)
@click.option("--prune", is_flag=True, help="These are all specs: remove what was rendered of others.")
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; print what differs, and exit 2 if anything does."
)
def command(
    specs: tuple[str, ...],
    out: str,
    instance_types: tuple[str, ...],
    manifests: bool,
    charts: str | None,
    prerequisites: bool,
    prune: bool,
    only_check: bool,
) -> int:
    """Write the directory of each spec and instance type: DIR/<name>/<instance type>/.

    Only files that change are touched. Files that llmdgen wrote before and no longer makes are removed; a file that it
    did not write is never replaced. An error anywhere in a spec means that nothing of that spec is written.
    """
    read, findings = work.read(specs)
    asked = options.chosen(read, instance_types)
    missing = making.missing_charts(charts, read)
    findings += missing + making.shared_names(read)
    taken = making.taken_names(read)
    again = join(["llmdgen", *(word for word in click.get_current_context().obj if word != "--check")])

    def finished(made: Made) -> Outcome:
        return outcome.compared(out, made, again) if only_check else outcome.written(out, made, is_alone)

    def waits() -> None:
        complain(f"{out}: another llmdgen writes there; this one waits for it")

    def rendered(spec: Spec, names: tuple[str, ...]) -> Outcome:
        made, found = making.make(
            spec,
            names,
            out=out,
            charts=charts,
            whole=not instance_types,
            with_manifests=manifests,
            with_prerequisites=prerequisites,
        )
        done = finished(made) if made and not missing and spec.name not in taken else Outcome()
        return structs.replace(done, findings=(*found, *done.findings), asked=made.asked if made else None)

    steps = [(spec, names) for spec, names in zip(read, asked, strict=True) if names]
    others: list[str] = []
    with nullcontext(False) if only_check else alone(out, waits) as is_alone:
        outcomes = list(_progress(results(lambda number: rendered(*steps[number]), len(steps)), len(steps)))
        if prerequisites and not _are_wrong([*findings, *_found(outcomes)]):
            known = {spec.name: each.asked for (spec, _), each in zip(steps, outcomes, strict=True) if each.asked}
            cluster, found = making.make_prerequisites(read, known, prune)
            outcomes.append(finished(cluster) if cluster else Outcome(findings=tuple(found)))
        if (prune or only_check) and not _are_wrong([*findings, *_found(outcomes)]):
            others = leftovers(out, {making.CLUSTER, *(spec.name for spec in read)})
        for other in others if prune else ():
            outcomes.append(outcome.orphaned(out, other, again) if only_check else outcome.removed(out, other))
    for each in outcomes:
        each.show()
    findings += _found(outcomes)
    differs = sum(each.differs for each in outcomes)
    if differs:
        say(f"{count(differs, 'difference')}; nothing was written")
    if others and not prune:
        tell(f"{out}: not compared, being of no spec given here: {', '.join(others)} (with --prune a difference)")
    report(work.in_order_of(specs, findings))
    if _are_wrong(findings):
        errors = Counter(each.place.spec or each.place.path for each in dict.fromkeys(findings) if each.is_error)
        for file, number in errors.items() if len(specs) > 1 else ():
            say(f"{file}: {count(number, 'error')}, nothing written")
        return status.ERROR
    return status.DIFFERS if differs else status.OK


def _found(outcomes: Iterable[Outcome]) -> list[Located]:
    return [found for each in outcomes for found in each.findings]


def _are_wrong(findings: Iterable[Located]) -> bool:
    return any(found.is_error for found in findings)


def _progress(outcomes: Iterable[Outcome], number: int) -> Iterator[Outcome]:
    """The outcomes; with a bar on stderr where somebody watches and there is more than one."""
    if number < 2 or not sys.stderr.isatty():
        yield from outcomes
        return
    with click.progressbar(outcomes, label="specs", length=number, file=sys.stderr) as bar:
        yield from bar
