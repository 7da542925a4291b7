"""The files of the directory: none missing, values that the chart reads, manifests and arguments that pods get."""

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
