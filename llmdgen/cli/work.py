"""From spec files to checked plans: what commands do alike. Nothing stops at the first error: the errors of all specs
are shown at once, and specs that have any are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain

import click

from llmdgen.api import judged
from llmdgen.cli import status
from llmdgen.cli.options import chosen
from llmdgen.cli.terminal import report
from llmdgen.findings import Located, Severity, SpecError
from llmdgen.output.rules import SHARED_NAME
from llmdgen.planning.model import Plan
from llmdgen.spec.load import load_all
from llmdgen.spec.model import Spec

CLUSTER = "cluster"  # rendered/cluster/ holds prerequisites


def read(files: Iterable[str]) -> tuple[list[Spec], list[Located]]:
    """The specs of all files that can be read, and why the others cannot."""
    specs: list[Spec] = []
    findings: list[Located] = []
    for file in dict.fromkeys(files):
        try:
            specs += load_all(file)
        except SpecError as error:
            findings += error.findings
    return specs, findings


def shared_names(specs: list[Spec]) -> dict[str, list[Located]]:
    """The names under which no spec of these may be written, those of several and that of the prerequisites, with a
    finding for each spec that has one."""
    found: dict[str, list[Located]] = {}
    counts = Counter(spec.name for spec in specs)
    for spec in (each for each in specs if counts[each.name] > 1 or each.name == CLUSTER):
        says = f"another spec of this call is called {spec.name} too, and both would be written to one directory"
        if spec.name == CLUSTER:
            says = f"the directory {CLUSTER} is that of the prerequisites"
        finding = SHARED_NAME.at("metadata", "name", says=says, fix="choose another metadata.name")
        found.setdefault(spec.name, []).append(Located(finding, spec.locate(finding.at)))
    return found


def sound_plans(files: Iterable[str], asked: tuple[str, ...]) -> list[Plan]:
    """The plans of every spec in the files on the instance types asked for, or on all of their own. Reports every
    finding, and ends the command where one is an error. Raises click.UsageError as `chosen` does."""
    found: list[Plan] = []
    files = list(dict.fromkeys(files))
    specs, findings = read(files)
    findings += chain(*shared_names(specs).values())
    for spec, names in zip(specs, chosen(specs, asked), strict=True):
        done = judged(spec, names)
        findings += done.findings
        found += done.plans
    report(in_order_of(files, findings))
    if any(each.is_error for each in findings):
        raise click.exceptions.Exit(status.ERROR)
    return found


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
