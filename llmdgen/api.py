"""The three calls of the Python API, and what the command line needs beside them. None of them reads the network, the
clock or the environment; `load` reads the spec, and the config.json it names."""

from __future__ import annotations

import os
from collections.abc import Collection

from msgspec import Struct

from llmdgen.findings import Finding, Located, Severity, SpecError, in_order
from llmdgen.planning.model import Plan
from llmdgen.spec.model import Spec


def load(path: str | os.PathLike[str]) -> Spec:
    """The spec in a file of one document. Raises SpecError, whose `findings` hold every error at its place."""
    from llmdgen.spec.load import load_all

    specs = load_all(path)
    if len(specs) > 1:
        says = f"the file holds {len(specs)} specs, one is expected here"
        finding = Finding("SPEC002", Severity.ERROR, says, "split the file, or load all of them")
        raise SpecError([Located(finding, specs[1].locate(()))])
    return specs[0]


def targets(spec: Spec) -> tuple[str, ...]:
    """The instance types of a spec by their EC2 names, one output directory each."""
    return tuple(name.removeprefix("ml.") for name in spec.asked.instance_types)


def plan(spec: Spec, instance_type: str) -> Plan:
    """Everything that is decided about the spec on one instance type, given by its EC2 or ml. name. Raises SpecError
    where no plan is possible, or where a check finds an error in it."""
    decided = draft(spec, instance_type)
    errors = [found for found in check(decided) if found.is_error]
    if errors:
        raise SpecError(errors)
    return decided


def draft(spec: Spec, instance_type: str) -> Plan:
    """The plan before its checks, which may hold errors. Raises SpecError where no plan is possible at all."""
    from llmdgen.planning.build import build

    return build(spec, instance_type)


def check(decided: Plan) -> tuple[Located, ...]:
    """What the checks say of a plan, suppressed findings left out, in the order of the file."""
    return _judge(decided)[0]


def _judge(decided: Plan) -> tuple[tuple[Located, ...], tuple[Located, ...]]:
    """What the checks say of a plan: what stands, and what the spec suppresses, each in the order of the file."""
    from llmdgen.checks.judging import findings

    spec = decided.spec
    found = in_order(Located(finding, spec.locate(finding.at, finding.on_key)) for finding in findings(decided))
    codes = {each.code for each in spec.asked.suppress}
    silenced = tuple(each for each in found if not each.is_error and each.finding.code in codes)
    return tuple(each for each in found if each.is_error or each.finding.code not in codes), silenced


class Judged(Struct, frozen=True, kw_only=True):
    """The plans of a spec, and what the checks say of them. `warnings` are those of each target, `silenced` what the
    spec suppresses. Of an instance type on which no plan is possible, the findings say why."""

    plans: tuple[Plan, ...]
    findings: tuple[Located, ...]
    silenced: tuple[Located, ...]
    warnings: dict[str, tuple[Located, ...]]


def judged(spec: Spec, instance_types: Collection[str]) -> Judged:
    """Plans of a spec on the instance types given, with every finding about any of them, each once."""
    plans: list[Plan] = []
    findings: list[Located] = []
    silenced: list[Located] = []
    warnings: dict[str, tuple[Located, ...]] = {}
    for instance_type in instance_types:
        try:
            decided = draft(spec, instance_type)
        except SpecError as error:
            findings += error.findings
            continue
        found, left_out = _judge(decided)
        plans.append(decided)
        findings += found
        silenced += left_out
        warnings[decided.target] = tuple(each for each in found if not each.is_error)
    if spec.asked.suppress and len(plans) == len(targets(spec)):
        from llmdgen.checks.judging import needless

        findings += needless(spec, {each.finding.code for each in silenced})
    return Judged(plans=tuple(plans), findings=in_order(findings), silenced=in_order(silenced), warnings=warnings)


def render(decided: Plan, charts: str | None = None, warnings: tuple[Located, ...] | None = None) -> dict[str, str]:
    """The files of a plan's output directory: relative name -> text.

    `charts` is the path from that directory to a directory of charts, for machines without a network; `warnings` are
    those of `check`, where it was asked already.
    """
    from llmdgen.rendering.files import files

    if warnings is None:
        warnings = tuple(found for found in check(decided) if not found.is_error)
    return files(decided, warnings, charts)
