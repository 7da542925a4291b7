"""helmfile.yaml itself: the router's chart, pinned, and the local one, in an order that works."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.registry import Draft, found, rule
from llmdgen.verify.rendered import Rendered

_FILE = "helmfile.yaml"


@rule("VER098", "error", "a chart is not pinned, or not the release's")
def charts_are_the_releases(rendered: Rendered) -> Iterator[Draft]:
    """helm takes the newest version of a chart that has none, so that tomorrow's `helmfile apply` is another
    deployment. values/router.yaml is written for the keys that the release's own chart version reads.

    Fails:  chart inferencepool without version, or with v1.4.0 for llm-d v0.5.1.
    Passes: version v1.3.1; a chart on disk, such as ./chart.
    """
    pins = {chart.name: chart.version for chart in rendered.release.charts.values()}
    for release in rendered.releases:
        if release.is_local:
            continue
        wanted = pins.get(release.chart_name)
        if not release.version:
            says = f"chart {release.chart_name} of release {release.name} has no version"
            yield found("releases", release.name, says=says, fix=f"pin it to {wanted or 'a version'}", of=_FILE)
        elif wanted and release.version.removeprefix("v") != wanted.removeprefix("v"):
            says = f"chart {release.chart_name} is {release.version}, {rendered.release.name} has {wanted}"
            yield found("releases", release.name, says=says, fix=f"pin it to {wanted}", of=_FILE)


@rule("VER009", "error", "a release cannot be installed as it is written")
def releases_can_be_installed(rendered: Rendered) -> Iterator[Draft]:
    """The router's release needs the address where llm-d's release has its chart, and its values: without them the pool
    selects no model servers. What a release needs must be releases of this file, and what it is installed into must be
    there: helmfile makes the namespace, unless it is told not to.

    Fails:  a chart of another release's address; x-router without values/router.yaml; needs of a release that is not
            there; createNamespace: false.
    Passes: the chart's own address, every values file once, every need.
    """
    wanted = {chart.name: chart.repository for chart in rendered.release.charts.values()}
    known = {name for each in rendered.releases for name in (each.name, f"{each.namespace}/{each.name}")}
    for release in rendered.releases:
        place = ("releases", release.name)
        published = wanted.get(release.chart_name, release.chart)
        if not release.is_local and release.chart != published:
            says = f"{release.name} takes {release.chart}, the release's chart is {published}"
            yield found(*place, "chart", says=says, fix="use the release's chart", of=_FILE)
        if not release.values and release.chart_name in wanted:
            yield found(*place, "values", says=f"{release.name} has no values", fix="name its values file", of=_FILE)
        for need in release.needs:
            if need not in known:
                says = f"{release.name} needs {need}, which is not a release of this file"
                yield found(*place, "needs", says=says, fix="name one that is", of=_FILE)
        for key, is_set in (("createNamespace", release.create_namespace), ("installed", release.installed)):
            if not is_set:
                says = f"{key} is false: `helmfile apply` alone does not deploy it"
                yield found(*place, key, says=says, fix="leave it out", of=_FILE)
    if not rendered.state.helm_defaults.create_namespace:
        says = "helm would not make the namespace"
        yield found("helmDefaults", "createNamespace", says=says, fix="write true, or leave it out", of=_FILE)
    read = {name for each in rendered.releases for name in each.values}
    for name in sorted(rendered.files):
        if name.startswith("values/") and name not in read:
            yield found(says="no release reads it", fix="name it under the values of its release", of=name)


@rule("VER099", "warning", "releases are not ordered by what they need")
def releases_are_ordered(rendered: Rendered) -> Iterator[Draft]:
    """The model servers come after the router: then the scheduler is there when the first of them gets ready, and
    `helmfile destroy` takes them away in the other order.

    Fails:  x-servers without needs.
    Passes: x-servers needs x-router.
    """
    for earlier, later in zip(rendered.releases, rendered.releases[1:], strict=False):
        if earlier.name not in (need.rpartition("/")[2] for need in later.needs):
            says = f"{later.name} does not need {earlier.name}"
            fix = f"add {earlier.namespace}/{earlier.name} to needs"
            yield found("releases", later.name, says=says, fix=fix, of=_FILE)
