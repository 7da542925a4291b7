"""`llmdgen render`: from specs to directories, or to what differs from them, and what is said about each."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import chain
from shlex import join
from typing import TYPE_CHECKING

import click
from msgspec import Struct, structs

from llmdgen.cli import making, options, status, work
from llmdgen.cli.making import Made
from llmdgen.cli.processes import results
from llmdgen.cli.terminal import complain, count, report, say, tell
from llmdgen.cli.work import CLUSTER
from llmdgen.findings import Located
from llmdgen.output.disk import alone
from llmdgen.output.lock import USERS_OWN
from llmdgen.output.rules import OutputError, unwritten
from llmdgen.output.tree import Writing, commit, leftovers, prepare, removal
from llmdgen.secrets import mask
from llmdgen.spec.model import Spec

if TYPE_CHECKING:
    from llmdgen.output.check import Difference
    from llmdgen.prerequisites import Asked


class Outcome(Struct, frozen=True, kw_only=True):
    """Sentences for stdout, each with the diff below it if any, lines for stderr, how many files differ, the
    findings of what could not be done, and what the spec asks of its cluster."""

    says: tuple[str, ...] = ()
    complains: tuple[str, ...] = ()
    differs: int = 0
    findings: tuple[Located, ...] = ()
    asked: Asked | None = None

    def show(self) -> None:
        for line in self.complains:
            complain(line)
        for each in self.says:
            sentence, _, diff = each.partition("\n")
            tell(sentence)
            if diff:
                say(diff)


@click.command(epilog="Exit codes: 0 done; with --check 0 the same, 2 differs; 1 an error; 64 wrong usage.")
@options.SPEC_FILES
@options.OUTPUT
@options.INSTANCE_TYPES
@click.option("--manifests", is_flag=True, help="Write the manifests too that helm makes of it, one object a file.")
@options.folder("--charts", "Charts for machines without a network; helmfile.yaml names them by a relative path.")
@click.option(
    "--prerequisites",
    is_flag=True,
    help=f"Write DIR/{CLUSTER}/ too: what the clusters of these specs need. Give all of a cluster at once.",
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
    shared = work.shared_names(read)
    findings += [*missing, *chain(*shared.values())]
    again = join(["llmdgen", *(word for word in click.get_current_context().obj if word != "--check")])

    outcomes: list[Outcome] = []

    def add(outcome: Outcome) -> None:
        outcomes.append(outcome)
        findings.extend(outcome.findings)

    def finished(made: Made) -> Outcome:
        return _or_why_not(
            lambda: _compared(out, made, again) if only_check else _written(out, made, is_alone), f"{out}/{made.name}"
        )

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
        done = finished(made) if made and not missing and spec.name not in shared else Outcome()
        return structs.replace(done, findings=(*found, *done.findings), asked=made.asked if made else None)

    steps = [(spec, names) for spec, names in zip(read, asked, strict=True) if names]
    others: list[str] = []
    with nullcontext(False) if only_check else alone(out, waits) as is_alone:
        for each in _progress(results(lambda number: rendered(*steps[number]), len(steps)), len(steps)):
            add(each)
        if prerequisites and not _are_wrong(findings):
            known = {spec.name: each.asked for (spec, _), each in zip(steps, outcomes, strict=True) if each.asked}
            cluster, found = making.make_prerequisites(read, known, prune)
            add(finished(cluster) if cluster else Outcome(findings=tuple(found)))
        if (prune or only_check) and not _are_wrong(findings):
            others = leftovers(out, {CLUSTER, *(spec.name for spec in read)})
        for other in others if prune else ():
            add(_orphaned(out, other, again) if only_check else _removed(out, other))
    for each in outcomes:
        each.show()
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


def _are_wrong(findings: Iterable[Located]) -> bool:
    return any(found.is_error for found in findings)


def _progress(outcomes: Iterable[Outcome], number: int) -> Iterator[Outcome]:
    """The outcomes; with a bar on stderr where somebody watches and there is more than one."""
    if number < 2 or not sys.stderr.isatty():
        yield from outcomes
        return
    with click.progressbar(outcomes, label="specs", length=number, file=sys.stderr) as bar:
        yield from bar


def _written(out: str, made: Made, is_alone: bool) -> Outcome:
    """Write what was made of a spec, all or nothing; where nobody else writes, also remove what killed renders left."""
    return _committed(prepare(out, made.name, made.targets, made.whole, is_alone), _size(made))


def _compared(out: str, made: Made, again: str) -> Outcome:
    """What differs from what was made of a spec; `again` is the call that would write it."""
    from llmdgen.output.check import compare

    own = USERS_OWN if made.name == CLUSTER else ()
    differences = compare(out, made.name, made.targets, again, made.whole, own)
    says = [_shown(found) for found in differences] or [f"{out}/{made.name}: {_size(made)}: up to date"]
    return Outcome(says=tuple(says), differs=len(differences))


def _removed(out: str, name: str) -> Outcome:
    """Remove a directory that no spec is of any more."""
    return _or_why_not(lambda: _committed(removal(out, name), f"no spec is called {name}"), f"{out}/{name}")


def _orphaned(out: str, name: str, again: str) -> Outcome:
    """The same as a difference."""
    from llmdgen.output.check import leftover

    return Outcome(says=(_shown(leftover(out, name, again)),), differs=1)


def _or_why_not(act: Callable[[], Outcome], directory: str) -> Outcome:
    """What comes of an act, or why it could not be done."""
    try:
        return act()
    except OutputError as error:
        return Outcome(findings=tuple(error.findings))
    except OSError as error:
        return Outcome(findings=(unwritten(error, directory),))


def _committed(writing: Writing, size: str) -> Outcome:
    commit(writing)
    edited = [f"{writing.root}/{path}: replaced, though it was edited by hand" for path in writing.edited]
    kept = [f"{writing.root}/{path}: no longer made, but edited by hand, and therefore kept" for path in writing.kept]
    counts = {"written": writing.written, "removed": len(writing.removes), "unchanged": writing.unchanged}
    changes = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    if not counts["written"] and not counts["removed"]:
        changes = "unchanged"
    return Outcome(says=(f"{writing.root}: {size}: {changes}",), complains=(*edited, *kept))


def _shown(found: Difference) -> str:
    diff = f"\n{mask(found.diff.rstrip())}" if found.diff else ""
    return f"{found.path}: {found.kind.value}: {found.says} (fix: {found.mend}){diff}"


def _size(made: Made) -> str:
    files = sum(len(target.files) for target in made.targets.values())
    return f"{count(len(made.targets), 'target')}, {count(files, 'file')}"
