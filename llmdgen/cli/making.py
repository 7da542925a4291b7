"""From a spec to the files of its targets, manifests included where they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from llmdgen import api
from llmdgen.cli.work import CLUSTER
from llmdgen.facts.catalogue import facts_digest, release
from llmdgen.findings import Located, Place, SpecError
from llmdgen.output import rules
from llmdgen.output.lock import digest
from llmdgen.output.rules import refusal
from llmdgen.output.tree import Rendered
from llmdgen.planning.model import Plan
from llmdgen.spec.model import Spec
from llmdgen.version import VERSION

if TYPE_CHECKING:
    from llmdgen.prerequisites import Asked


class Made(Struct, frozen=True, kw_only=True):
    """Directories in memory, by their names, below <out>/<name>/. `whole` says that no others belong there, `asked`
    what the spec asks of its cluster, where that was wanted and all its targets are here."""

    name: str
    targets: dict[str, Rendered]
    whole: bool
    asked: Asked | None = None


def make(
    spec: Spec,
    instance_types: tuple[str, ...],
    *,
    out: str,
    charts: str | None,
    whole: bool,
    with_manifests: bool,
    with_prerequisites: bool,
) -> tuple[Made | None, list[Located]]:
    """The targets of a spec on the instance types given, None where anything of it is wrong; and every finding.
    `charts` is a directory of charts, None for the release's own; `whole` says that these are all of its targets."""
    done = api.judged(spec, instance_types)
    findings = list(done.findings)
    targets: dict[str, Rendered] = {}
    for plan in () if any(found.is_error for found in findings) else done.plans:
        target = os.path.join(os.path.realpath(out), spec.name, plan.target)
        from_there = None if charts is None else os.path.relpath(os.path.realpath(charts), target)
        files = api.render(plan, from_there, done.warnings[plan.target])
        if with_manifests:
            manifests, found = _manifests(plan, files, charts)
            files |= manifests
            findings += found
        facts = facts_digest(plan.release.name, spec.asked.model.name)
        targets[plan.target] = Rendered(tool=VERSION, spec=spec.digest, facts=facts, files=files)
    if any(found.is_error for found in findings):
        return None, findings
    asked = None
    if with_prerequisites and whole:
        from llmdgen.prerequisites import asked_in

        asked = asked_in(done.plans)
    return Made(name=spec.name, targets=targets, whole=whole, asked=asked), findings


def make_prerequisites(specs: list[Spec], asked: dict[str, Asked], whole: bool) -> tuple[Made | None, list[Located]]:
    """What the clusters of all specs need, None where that cannot be said; and why. `asked` is what is known already of
    specs, by their names. Whole only where these are all specs: a call with others may be about another cluster."""
    from llmdgen.prerequisites import asked_by, clusters, files

    try:
        found = clusters((spec, asked.get(spec.name) or asked_by(spec)) for spec in specs)
    except SpecError as error:
        return None, list(error.findings)
    targets = {
        each.directory: Rendered(
            tool=VERSION,
            spec=digest(each.text),  # what all specs together ask of it, so that most changes of one leave it alone
            facts=facts_digest(each.release.name, ""),
            files=files(each),
        )
        for each in found
    }
    return Made(name=CLUSTER, targets=targets, whole=whole), []


def missing_charts(charts: str | None, specs: Iterable[Spec]) -> list[Located]:
    """A finding for each chart that --charts promises and that is not there."""
    if charts is None:
        return []
    folders = sorted({release(spec.asked.release).charts["router"].name for spec in specs})
    return [
        refusal(rules.NO_CHARTS, charts, f"there is no {folder}/Chart.yaml", "unpack the chart there")
        for folder in folders
        if not os.path.isfile(os.path.join(charts, folder, "Chart.yaml"))
    ]


def _manifests(plan: Plan, files: dict[str, str], charts: str | None) -> tuple[dict[str, str], list[Located]]:
    """The manifests that helm makes of a target's files, and what is wrong with them."""
    from pathlib import Path

    from llmdgen.verify.helmfile import template
    from llmdgen.verify.manifests import read, write_manifests
    from llmdgen.verify.run import UNRENDERED
    from llmdgen.verify.state import VerifyError

    place = Place(plan.spec.path)
    try:
        outputs = template(files, None if charts is None else Path(charts))
    except VerifyError as error:
        return {}, [Located(UNRENDERED.at(says=f"{plan.target}: {error.says}", fix=error.fix), place)]
    manifests, wrong = read(outputs)
    says = [f"{plan.target}: {each.of} {each.path}: {each.says}" for each in wrong]
    found = [structs.replace(each, says=said, at=(), of="") for each, said in zip(wrong, says, strict=True)]
    return write_manifests(manifests), [Located(each, place) for each in found]
