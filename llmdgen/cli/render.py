"""`llmdgen render`: from specs to directories, or to what differs from them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from llmdgen.cli import making, options, status, work
from llmdgen.cli.making import Made
from llmdgen.cli.terminal import complain, count, report, say
from llmdgen.findings import Located
from llmdgen.output.rules import OutputError, unwritten
from llmdgen.output.tree import Writing, commit, prepare
from llmdgen.output.undisturbed import alone
from llmdgen.spec.model import Spec

if TYPE_CHECKING:
    from llmdgen.output.check import Difference


@click.command(epilog="Exit codes: 0 done; with --check 0 the same, 2 differs; 1 an error; 64 wrong usage.")
@options.SPEC_FILES
@options.OUTPUT
@options.instance_types()
@click.option("--manifests", is_flag=True, help="Write the manifests too that helm makes of it, one object a file.")
@options.charts("Charts for machines without a network; helmfile.yaml names them by a relative path.")
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
    settings = making.Settings(
        out=out,
        instance_types=instance_types,
        charts=charts,
        manifests=manifests,
        prerequisites=prerequisites,
        prune=prune,
    )
    missing = making.missing_charts(charts, read)
    findings += missing + making.shared_names(read)
    made: list[Made] = []
    with _progress(list(zip(read, asked, strict=True))) as steps:
        for spec, names in steps:
            if names:
                each, found = making.make(spec, names, settings)
                findings += found
                made += [each] if each else []
    taken = making.taken_names(read)
    made = [] if missing else [each for each in made if each.name not in taken]
    if prerequisites and not any(found.is_error for found in findings):
        cluster, found = making.make_prerequisites(read, prune)
        findings += found
        made += [cluster] if cluster else []
    others: list[str] = []
    if (prune or only_check) and not any(found.is_error for found in findings):
        from llmdgen.output.leftover import leftovers

        others = leftovers(out, {making.CLUSTER, *(spec.name for spec in read)})
    left = others if prune else []
    if only_check:
        differs, wrong = _compare(out, made, left, making.command_line(specs, settings))
        if differs:
            say(f"{count(differs, 'difference')}; nothing was written")
        if others and not prune:
            say(f"{out}: not compared, being of no spec given here: {', '.join(others)} (with --prune a difference)")
    else:
        with alone(out):
            differs, wrong = 0, _write(out, made, left)
    findings += wrong
    report(work.in_order_of(specs, findings))
    if any(found.is_error for found in findings):
        return status.ERROR
    return status.DIFFERS if differs else status.OK


def _write(out: str, made: list[Made], left: list[str]) -> list[Located]:
    """Write what may be written, and say so; the findings of what may not."""
    findings: list[Located] = []
    writings: list[tuple[str, Writing]] = []
    for each in made:
        try:
            writings.append((_size(each), prepare(out, each.name, each.targets, each.whole)))
        except OutputError as error:
            findings += error.findings
        except OSError as error:
            findings.append(unwritten(error, f"{out}/{each.name}"))
    for name in left:
        from llmdgen.output.leftover import removal

        try:
            writings.append((f"no spec is called {name}", removal(out, name)))
        except OutputError as error:
            findings += error.findings
    for size, writing in writings:
        try:
            commit(writing)
        except OSError as error:
            findings.append(unwritten(error, writing.root))
            continue
        for path in writing.edited:
            complain(f"{writing.root}/{path}: replaced, though it was edited by hand")
        for path in writing.kept:
            complain(f"{writing.root}/{path}: no longer made, but edited by hand, and therefore kept")
        say(f"{writing.root}: {size}: {_changes(writing)}")
    return findings


def _compare(out: str, made: list[Made], left: list[str], again: str) -> tuple[int, list[Located]]:
    """Print what differs; how much does, and the findings of what cannot be compared."""
    from llmdgen.output.check import compare

    differs = 0
    findings: list[Located] = []
    for each in made:
        try:
            differences = compare(out, each.name, each.targets, again, each.whole)
        except OutputError as error:
            findings += error.findings
            continue
        except OSError as error:
            findings.append(unwritten(error, f"{out}/{each.name}"))
            continue
        differs += len(differences)
        for found in differences:
            _show(found)
        if not differences:
            say(f"{out}/{each.name}: {_size(each)}: up to date")
    for name in left:
        from llmdgen.output.leftover import leftover

        _show(leftover(out, name, again))
    return differs + len(left), findings


def _show(found: Difference) -> None:
    diff = f"\n{found.diff.rstrip()}" if found.diff else ""
    say(f"{found.path}: {found.kind.value}: {found.says} (fix: {found.mend}){diff}")


def _size(made: Made) -> str:
    files = sum(len(target.files) for target in made.targets.values())
    return f"{count(len(made.targets), 'target')}, {count(files, 'file')}"


def _changes(writing: Writing) -> str:
    counts = {"written": writing.written, "removed": len(writing.removes), "unchanged": writing.unchanged}
    if not counts["written"] and not counts["removed"]:
        return "unchanged"
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


@contextmanager
def _progress(steps: list[tuple[Spec, tuple[str, ...]]]) -> Iterator[Iterable[tuple[Spec, tuple[str, ...]]]]:
    """The steps; with a bar on stderr where somebody watches and there is more than one."""
    if len(steps) < 2 or not sys.stderr.isatty():
        yield steps
        return
    with click.progressbar(steps, label="specs", file=sys.stderr) as bar:
        yield bar
