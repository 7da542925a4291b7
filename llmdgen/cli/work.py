"""From spec files to checked plans: what render, validate and plan do alike.

Nothing stops at the first error: whoever calls shows the errors of all specs at once, and leaves out the specs that
have any.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from llmdgen.cli import status
from llmdgen.findings import Located, Severity, SpecError
from llmdgen.planning.model import Plan
from llmdgen.spec.model import Spec


class Work(Struct, frozen=True, kw_only=True):
    """A spec, its plans, one an instance type, and what the checks say of each; warnings are by target, `silenced` is
    what the spec suppresses.

    An instance type on which no plan is possible has none, and its findings say why.
    """

    spec: Spec
    plans: tuple[Plan, ...]
    findings: tuple[Located, ...]
    warnings: dict[str, tuple[Located, ...]]
    silenced: tuple[Located, ...] = ()

    @property
    def is_wrong(self) -> bool:
        return any(found.is_error for found in self.findings)


def read(files: Iterable[str]) -> tuple[list[Spec], list[Located]]:
    """The specs of all files that can be read, and why the others cannot."""
    from llmdgen.spec.load import load_all

    specs: list[Spec] = []
    findings: list[Located] = []
    for file in dict.fromkeys(files):
        try:
            specs += load_all(file)
        except SpecError as error:
            findings += error.findings
    return specs, findings


def sound_plans(files: Iterable[str], asked: tuple[str, ...]) -> list[Plan]:
    """The plans of every spec in the files on the instance types asked for, or on all of their own.

    Reports every finding, and ends the command where one is an error. Raises click.UsageError for an instance type that
    no spec has.
    """
    import click

    from llmdgen.cli.options import chosen
    from llmdgen.cli.terminal import report

    found: list[Plan] = []
    findings: list[Located] = []
    files = list(dict.fromkeys(files))
    for file in files:
        specs, unread = read([file])
        done = [plan(spec, names) for spec, names in zip(specs, chosen(specs, asked), strict=True)]
        findings += [*unread, *(each for work in done for each in work.findings)]
        found += [each for work in done for each in work.plans]
    report(in_order_of(files, findings))
    if any(each.is_error for each in findings):
        raise click.exceptions.Exit(status.ERROR)
    return found


def plan(spec: Spec, instance_types: Iterable[str]) -> Work:
    """Plans of a spec on the instance types given, with every finding about any of them, each once."""
    from llmdgen.api import draft, judge, targets

    names = tuple(instance_types)
    plans: list[Plan] = []
    findings: list[Located] = []
    warnings: dict[str, tuple[Located, ...]] = {}
    silenced: list[Located] = []
    for instance_type in names:
        try:
            decided = draft(spec, instance_type)
        except SpecError as error:
            findings += error.findings
            continue
        found, left_out = judge(decided)
        silenced += left_out
        plans.append(decided)
        findings += found
        warnings[decided.target] = tuple(each for each in found if not each.is_error)
    if spec.asked.suppress and len(plans) == len(targets(spec)):
        from llmdgen.checks.judging import needless

        findings += needless(spec, {each.finding.code for each in silenced})
    return Work(
        spec=spec, plans=tuple(plans), findings=_in_order(findings), warnings=warnings, silenced=_in_order(silenced)
    )


# What an error of these kinds is about has to be right before the kinds after it mean anything.
CAUSES = ("SPEC", "SEC", "PATH", "IMG", "PAR", "MOD", "FIT", "VLLM")


def in_order_of(files: Iterable[str], findings: Iterable[Located]) -> list[Located]:
    """Findings, each once, file by file as the files were given: errors first, causes before what follows from them,
    then the order of the lines. One about a value of a base stands with the spec that extends it."""
    rank = {file: number for number, file in enumerate(dict.fromkeys(files))}
    weight = {severity: number for number, severity in enumerate(Severity)}

    def key(each: Located) -> tuple[object, ...]:
        place, code = each.place, each.finding.code
        family = code.rstrip("0123456789")
        cause = CAUSES.index(family) if each.is_error and family in CAUSES else len(CAUSES)
        file = rank.get(place.spec or place.path, len(rank))
        return file, weight[each.finding.severity], cause, place, code

    return sorted(dict.fromkeys(findings), key=key)


def _in_order(findings: Iterable[Located]) -> tuple[Located, ...]:
    return tuple(sorted(dict.fromkeys(findings), key=lambda each: (each.place, each.finding.code)))
