"""`llmdgen verify`: a rendered directory through helmfile and helm, then every schema and every rule.

Pure but for the last two steps of the way: files are read, helmfile is run, and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from llmdgen import registry
from llmdgen.checks import load_plan_checks
from llmdgen.checks.engine import rendered_findings
from llmdgen.facts.catalogue import release, release_names
from llmdgen.facts.types import Release
from llmdgen.findings import Finding
from llmdgen.kube.manifest import Manifest
from llmdgen.prerequisites.facts import prerequisites
from llmdgen.registry import declare
from llmdgen.verify import invariants, schemas, sealed
from llmdgen.verify.helmfile import HELMFILE, HelmRelease, ReleaseOutput, read_releases, read_text, template
from llmdgen.verify.invariants.scheduler import scheduler_configs
from llmdgen.verify.manifests import read
from llmdgen.verify.rendered import Rendered
from llmdgen.verify.tools import Tools, VerifyError

__all__ = ["invariants", "judged", "read_files", "verify", "verify_manifests", "verify_outputs"]

UNRENDERED = declare(
    "VER001",
    "error",
    "helmfile cannot be run on the directory",
    """What `helmfile apply` would install is what `helmfile template` prints. Where a tool is missing, or a chart
    cannot be fetched or refuses its values, nothing can be installed and no rule has anything to look at.

    Fails:  values/router.yaml without the model servers' labels, which the router's chart requires; no helm on PATH.
    Passes: helmfile prints every release.
    """,
)
PREREQUISITES = declare(
    "VER109",
    "note",
    "prerequisites of a cluster are judged by the lock alone",
    """The directories below rendered/cluster hold charts of others, device plugins and controllers, that no rule here
    knows. Whether their files are those that llmdgen wrote is asked as everywhere (VER008).

    Fails:  rendered/cluster/eks-istio, in a run over all of rendered/.
    Passes: a directory of a deployment.
    """,
)
_STATED = re.compile(r"^release: [\"']?([^\s\"']+)", re.MULTILINE)
_FILES = ("helmfile.yaml", "allocation.yaml", "vllm/*.args", "values/*.yaml", "chart/**/*", "manifests/*.yaml")


def verify(
    directory: Path, charts: Path | None = None, crds: Path | None = None, tools: Tools | None = None
) -> list[Finding]:
    """Everything that is wrong with what the cluster would get from a rendered directory, in the order of the objects.

    `charts` holds charts by their names for machines without a network, `crds` files of CustomResourceDefinitions.
    A directory on which helmfile fails gives one problem; VerifyError is raised only where `crds` cannot be read.
    """
    try:
        files = read_files(directory)
        if _is_prerequisites(files):
            says = "it holds a cluster's prerequisites, whose charts no rule knows"
            note = PREREQUISITES.at(says=says, fix="see its README.md", of=HELMFILE)
            return in_order([*sealed.check(directory), note])
        outputs = template(directory, charts, tools)
    except VerifyError as error:
        return [UNRENDERED.at(says=error.says, fix=error.fix, of=HELMFILE), *sealed.check(directory)]
    return in_order([*sealed.check(directory), *verify_outputs(outputs, files, crds)])


def verify_outputs(outputs: list[ReleaseOutput], files: Mapping[str, str], crds: Path | None = None) -> list[Finding]:
    """The same for what helmfile has printed already. `files` are the directory's own, by their paths in it."""
    manifests, problems = read(outputs)
    releases = read_releases(files[HELMFILE])
    return problems + verify_manifests(manifests, releases, files, crds)


def verify_manifests(
    manifests: tuple[Manifest, ...],
    releases: tuple[HelmRelease, ...],
    files: Mapping[str, str],
    crds: Path | None = None,
) -> list[Finding]:
    """Schemas and rules over objects: errors first, then warnings, then notes, each in the order of the codes."""
    rendered = Rendered(manifests, files, releases, _release_of(releases, files))
    return in_order([*schemas.check(manifests, crds), *judged(rendered)])


def judged(rendered: Rendered) -> list[Finding]:
    """What the rules say of a rendered directory, of the model servers in it, and of its scheduler's configuration."""
    load_plan_checks()
    servers = rendered.servers
    return [
        *registry.run(rendered),
        *registry.run(servers),
        *rendered_findings(servers),
        *(finding for config in scheduler_configs(rendered) for finding in registry.run(config)),
    ]


def in_order(problems: list[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes, each in the order of the codes."""
    weight = {"error": 0, "warning": 1, "note": 2}
    return sorted(problems, key=lambda each: (weight[each.severity.value], each.code))


def read_files(directory: Path) -> dict[str, str]:
    """The files of a rendered directory that rules look at, by their paths in it, and the values files that its
    helmfile.yaml names. Raises VerifyError where one cannot be read."""
    files = {
        file.relative_to(directory).as_posix(): read_text(file)
        for pattern in _FILES
        for file in sorted(directory.glob(pattern))
        if file.is_file()
    }
    named = {name for each in read_releases(files[HELMFILE]) for name in each.values} if HELMFILE in files else set()
    files |= {name: read_text(directory / name) for name in sorted(named - set(files)) if (directory / name).is_file()}
    return files


def _is_prerequisites(files: Mapping[str, str]) -> bool:
    """Whether every release is one of a cluster's prerequisites, and none a deployment's."""
    if HELMFILE not in files or "allocation.yaml" in files:
        return False
    known = {each.chart for name in release_names() for each in prerequisites(release(name)).releases}
    return {each.chart_name for each in read_releases(files[HELMFILE])} <= known


def _release_of(releases: tuple[HelmRelease, ...], files: Mapping[str, str]) -> Release:
    """The llm-d release that allocation.yaml names, else the one whose charts helmfile.yaml has, else the newest."""
    stated = _STATED.search(files.get("allocation.yaml", ""))
    if stated and stated.group(1) in release_names():
        return release(stated.group(1))
    versions = {(each.chart_name, each.version.removeprefix("v")) for each in releases if each.version}
    known = [release(name) for name in reversed(release_names())]
    for each in known:
        pins = {(chart.name, chart.version.removeprefix("v")) for chart in each.charts.values()}
        if versions & pins == versions and versions:
            return each
    return known[0]
