"""helmfile.yaml itself: pinned charts of the release, in an order that works."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.verify.rendered import Rendered
from llmdgen.verify.rules import Found, found, invariant

_FILE = "helmfile.yaml"


@invariant("VER098", "error", "a chart is not pinned, or not the release's")
def charts_are_the_releases(rendered: Rendered) -> Iterator[Found]:
    """helm takes the newest version of a chart that has none, so that tomorrow's `helmfile apply` is another
    deployment. The values are written for the keys that the release's own chart versions read.

    Fails:  chart llm-d-modelservice without version, or with v0.4.9 for llm-d v0.5.1.
    Passes: version v0.4.7, or a chart on disk.
    """
    pins = {chart.name: chart.version for chart in rendered.release.charts.values()}
    for release in rendered.releases:
        if release.is_local:
            continue
        wanted = pins.get(release.chart_name)
        if not release.version:
            says = f"chart {release.chart_name} of release {release.name} has no version"
            yield found(_FILE, "releases", release.name, says=says, fix=f"pin it to {wanted or 'a version'}")
        elif wanted and release.version.removeprefix("v") != wanted.removeprefix("v"):
            says = f"chart {release.chart_name} is {release.version}, {rendered.release.name} has {wanted}"
            yield found(_FILE, "releases", release.name, says=says, fix=f"pin it to {wanted}")


@invariant("VER099", "warning", "releases are not ordered by what they need")
def releases_are_ordered(rendered: Rendered) -> Iterator[Found]:
    """The pool comes after the gateway, the model servers after the pool: then the scheduler is there when the first
    model server gets ready, and `helmfile destroy` takes them away in the other order.

    Fails:  ms-x without needs.
    Passes: gaie-x needs infra-x; ms-x needs both.
    """
    for earlier, later in zip(rendered.releases, rendered.releases[1:], strict=False):
        needed = {each.rpartition("/")[2] for each in later.needs}
        if earlier.name not in needed:
            says = f"{later.name} does not need {earlier.name}"
            fix = f"add {earlier.namespace}/{earlier.name} to needs"
            yield found(_FILE, "releases", later.name, says=says, fix=fix)
