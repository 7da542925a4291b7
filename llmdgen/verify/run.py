"""`llmdgen verify`: a rendered directory is read and judged harmless, goes through helmfile and helm, then through
every schema and every rule; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llmdgen import registry
from llmdgen.checks import load_plan_checks
from llmdgen.checks.engine import rendered_findings
from llmdgen.facts.catalogue import release, release_names
from llmdgen.findings import Finding
from llmdgen.objects.chart import FOLDER as CHART
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.prerequisites.facts import prerequisites
from llmdgen.registry import declare
from llmdgen.untyped import at, items, maps
from llmdgen.verify import invariants, schemas
from llmdgen.verify.files import against_lock, read_files, strange
from llmdgen.verify.helmfile import ToolError, Tools, fetch_chart, find_tools, template
from llmdgen.verify.invariants.scheduler import scheduler_configs
from llmdgen.verify.manifests import read
from llmdgen.verify.rendered import ALLOCATION, Rendered
from llmdgen.verify.state import HELMFILE, VerifyError

__all__ = ["invariants", "judged", "verify"]

UNRENDERED = declare("""VER001 error: helmfile cannot be run on the directory
    What `helmfile apply` would install is what `helmfile template` prints. Where a tool is missing, or a chart
    cannot be fetched or refuses its values, nothing can be installed and no rule has anything to look at.

    Fails:  values/router.yaml without the model servers' labels, which the router's chart requires; no helm on PATH.
    Passes: helmfile prints every release.
""")
PREREQUISITES = declare("""VER109 note: prerequisites of a cluster are judged by the lock alone
    The directories below rendered/cluster hold charts of others, device plugins and controllers, that no rule here
    knows. Whether their files are those that llmdgen wrote is asked as everywhere (VER008).

    Fails:  rendered/cluster/eks-istio, in a run over all of rendered/.
    Passes: a directory of a deployment.
""")


def verify(
    directory: Path, charts: Path | None = None, crds: Path | None = None, tools: Tools | None = None
) -> list[Finding]:
    """Everything that is wrong with what the cluster would get from a rendered directory: errors first, then warnings,
    then notes, each in the order of the codes.

    `charts` holds charts by their names for machines without a network, `crds` files of CustomResourceDefinitions.
    A directory on which helmfile fails gives one problem; what is not about the directory, but about programs, packages
    and schemas that are not here, is a finding `of` nothing. VerifyError is raised only where `crds` cannot be read.
    """
    problems: list[Finding] = []
    try:
        files = read_files(directory)
        is_cluster = _is_prerequisites(files)
        problems, is_sealed = against_lock(directory, files, is_cluster)
        if is_cluster:
            says = "it holds a cluster's prerequisites, whose charts no rule knows"
            problems.append(PREREQUISITES.at(says=says, fix="see its README.md", of=HELMFILE))
            return in_order(problems)
        strangers = list(strange(files))
        problems += strangers
        if any(each.of.startswith(f"{CHART}/") for each in strangers):
            return in_order(problems)
        outputs = template(files, charts, tools, directory)
    except VerifyError as error:
        of = "" if isinstance(error, ToolError) else HELMFILE
        return in_order([UNRENDERED.at(says=error.says, fix=error.fix, of=of), *problems])
    manifests, unreadable = read(outputs)
    return in_order(
        [*problems, *unreadable, *schemas.check(manifests, crds), *judged(Rendered(manifests, files, is_sealed))]
    )


def fetch(directory: Path, charts: Path) -> None:
    """Put the router's chart that a rendered directory deploys into a directory of charts, from where the llm-d release
    has it, whatever helmfile.yaml says. Raises VerifyError where helm cannot."""
    files = read_files(directory)
    if not _is_prerequisites(files) and HELMFILE in files:
        fetch_chart(Rendered((), files).release.charts["router"], charts, find_tools())


def judged(rendered: Rendered) -> list[Finding]:
    """What the rules say of a rendered directory, of the model servers in it, and of its scheduler's configuration.
    What the spec suppresses, as allocation.yaml has it, is left out; an error never is."""
    load_plan_checks()
    found = [
        *registry.run(rendered),
        *rendered_findings(rendered),
        *(finding for config in scheduler_configs(rendered) for finding in registry.run(config)),
    ]
    silenced = {each.get("code") for _, each in maps(rendered.stated.get("suppressed"))}
    return [each for each in found if each.is_error or each.code not in silenced]


def in_order(problems: list[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes, each in the order of the codes."""
    weight = {"error": 0, "warning": 1, "note": 2}
    return sorted(problems, key=lambda each: (weight[each.severity.value], each.code))


def _is_prerequisites(files: Mapping[str, str]) -> bool:
    """Whether every release is one of a cluster's prerequisites, and none a deployment's."""
    if HELMFILE not in files or ALLOCATION in files:
        return False
    try:
        releases = items(at(load(files[HELMFILE]), "releases"))
    except (YAMLError, RecursionError):
        return False
    known = {each.chart for name in release_names() for each in prerequisites(release(name)).releases}
    return bool(releases) and {str(at(each, "chart")).rpartition("/")[2] for each in releases} <= known
