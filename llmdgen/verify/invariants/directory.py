"""The files of the directory: none missing, values that the chart reads, manifests and arguments that pods get; and
helmfile.yaml, with the router's chart, pinned, and the local one, in an order that works."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks.helm import dotted as spelled
from llmdgen.checks.helm import is_below, read_paths, unread
from llmdgen.facts.catalogue import release_toml
from llmdgen.kube.command_line import unresolved
from llmdgen.kube.servers import ARGUMENTS, arguments_of
from llmdgen.kube.workload import Workload
from llmdgen.plain_yaml import YAMLError, reason
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean
from llmdgen.verify.manifests import FOLDER as MANIFESTS
from llmdgen.verify.manifests import manifest_names
from llmdgen.verify.rendered import ALLOCATION, Rendered, differences
from llmdgen.verify.state import HELMFILE

_FIX = "render again"


@rule("VER100", "error", "a part of the rendered directory is missing")
def parts_are_there(rendered: Rendered) -> Iterator[Draft]:
    """A render writes allocation.yaml and the arguments of every role. Without them quotas, capacity reservations and
    reviewers have nothing to go by, and nothing here can be held against the values: an edit of these would pass.

    Fails:  a directory without allocation.yaml, or without vllm/.
    Passes: allocation.yaml, and a file in vllm/ for each role.
    """
    if ALLOCATION not in rendered.files:
        yield found(says="the directory has none", fix=_FIX, of=ALLOCATION)
    if rendered.model_servers and not any(name.startswith(ARGUMENTS) for name in rendered.files):
        yield found(says="the directory has no file of vLLM's arguments", fix=_FIX, of="vllm/")


@rule("VER101", "error", "a file of manifests/ is not what helm makes")
def manifests_are_what_helm_makes(rendered: Rendered) -> Iterator[Draft]:
    """`render --manifests` writes the objects that helm makes of both charts, one a file, and tools that deploy
    rendered manifests take them from there. A directory whose manifests and charts differ deploys two things.

    Fails:  replicas: 5 in the manifest of a Deployment whose file in chart/ says 4; a manifest of no object, a
            kustomization.yaml.
    Passes: the manifests of the same render; no manifests at all.
    """
    written = {name for name in rendered.files if name.startswith(f"{MANIFESTS}/")}
    if not written:
        return
    real = manifest_names(rendered.manifests)
    for name, manifest in real.items():
        if name not in written:
            yield found(says=f"{manifest} has no file", fix=_FIX, of=name)
            continue
        try:
            doc = rendered.document(name)
        except YAMLError:
            yield found(says="it is not YAML document, or has a key twice", fix=_FIX, of=name)
            continue
        for path, says in differences(doc, manifest.doc, str(manifest)):
            yield found(*path, says=says, fix=_FIX, of=name)
    for name in sorted(written - set(real)):
        yield found(says="no release makes this object", fix="keep it elsewhere, or render again", of=name)


@rule("VER102", "error", "a values file is not YAML mapping")
def values_are_mappings(rendered: Rendered) -> Iterator[Draft]:
    """helm keeps the last of two equal keys and says nothing, and takes an empty file for no values at all: then the
    chart's defaults are installed.

    Fails:  `replicas:` twice in one mapping; an empty values/router.yaml.
    Passes: a mapping with every key once.
    """
    for name in dict.fromkeys(file for release in rendered.releases for file in release.values):
        try:
            values = rendered.document(name)
        except YAMLError as error:
            yield found(says=reason(error), fix="write every key once, and the text as YAML", of=name)
            continue
        if not isinstance(values, dict) or not values:
            yield found(says="it holds no values", fix=_FIX, of=name)


@rule("VER077", "error", "a value that no template of the chart reads")
def values_are_read(rendered: Rendered) -> Iterator[Draft]:
    """Helm takes any value and says nothing of those that no template uses: a mistyped path changes nothing, and the
    chart's default holds. The paths that the router's chart reads are data of the release.

    Fails:  inferenceExtension.monitoring.prometheus.enable in values/router.yaml.
    Passes: inferenceExtension.monitoring.prometheus.enabled.
    """
    chart = rendered.release.charts["router"].name
    tree = read_paths(rendered.release.name, "router")
    advice = release_toml(rendered.release.name, "values.toml")["advice"].get("router", {})
    for release in rendered.releases:
        for file in release.values if release.chart_name == chart else ():
            for each in unread(rendered.settings(file), tree):
                path = spelled(each.route)
                known = next((fix for top, fix in advice.items() if is_below(path, top)), None)
                fix = known or did_you_mean(str(each.route[-1]), each.known) or "remove it"
                yield found(*each.route, says=f"the {chart} chart does not read {path}", fix=fix, of=file)


@rule("VER092", "error", "a file of vLLM arguments is not what the container gets")
def argument_files_are_true(rendered: Rendered) -> Iterator[Draft]:
    """Reviewers read vllm/<role>.args, one argument a line. It holds everything after `vllm serve` that the container
    gets, in its order, for a role of several pods those of the first and of the last pod.

    Fails:  a flag in vllm/decode.args that the container does not have.
    Passes: line by line the same.
    """
    for workload in rendered.model_servers:
        for name, arguments in arguments_of(workload):
            text = rendered.files.get(name)
            if text is None:
                if any(file.startswith(ARGUMENTS) for file in rendered.files):
                    yield found(says=f"{workload} has no file of its arguments", fix="render again", of=name)
                continue
            written = [unresolved(line) for line in text.splitlines()]
            if written != list(arguments):
                says = _first_difference(written, list(arguments), workload)
                yield found(says=says, fix="render again, with these charts", of=name)
    known = {name for workload in rendered.model_servers for name, _ in arguments_of(workload)}
    for name in sorted(set(rendered.files) - known):
        if name.startswith(ARGUMENTS) and rendered.model_servers:
            yield found(says="no pods get these arguments", fix="create the role, or render again", of=name)


def _first_difference(written: list[str], real: list[str], workload: Workload) -> str:
    """The first line at which the file and the container part."""
    for number, (line, argument) in enumerate(zip(written, real, strict=False), 1):
        if line != argument:
            return f"line {number} is {line}, the container of {workload} gets {argument}"
    if len(written) < len(real):
        return f"the container of {workload} also gets {real[len(written)]}"
    return f"line {len(real) + 1} is {written[len(real)]}, the container of {workload} gets nothing more"


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
            yield found("releases", release.name, says=says, fix=f"pin it to {wanted or 'a version'}", of=HELMFILE)
        elif wanted and release.version.removeprefix("v") != wanted.removeprefix("v"):
            says = f"chart {release.chart_name} is {release.version}, {rendered.release.name} has {wanted}"
            yield found("releases", release.name, says=says, fix=f"pin it to {wanted}", of=HELMFILE)


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
            yield found(*place, "chart", says=says, fix="use the release's chart", of=HELMFILE)
        if not release.values and release.chart_name in wanted:
            yield found(*place, "values", says=f"{release.name} has no values", fix="name its values file", of=HELMFILE)
        for need in release.needs:
            if need not in known:
                says = f"{release.name} needs {need}, which is not a release of this file"
                yield found(*place, "needs", says=says, fix="name one that is", of=HELMFILE)
        for key, is_set in (("createNamespace", release.create_namespace), ("installed", release.installed)):
            if not is_set:
                says = f"{key} is false: `helmfile apply` alone does not deploy it"
                yield found(*place, key, says=says, fix="leave it out", of=HELMFILE)
    if not rendered.state.helm_defaults.create_namespace:
        says = "helm would not make the namespace"
        yield found("helmDefaults", "createNamespace", says=says, fix="write true, or leave it out", of=HELMFILE)
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
            yield found("releases", later.name, says=says, fix=fix, of=HELMFILE)
