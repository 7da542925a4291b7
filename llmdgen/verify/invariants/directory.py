"""The directory as a whole: no part of it missing, its values readable, its manifests those that helm makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.objects.chart import FOLDER as CHART
from llmdgen.objects.chart import passed_on
from llmdgen.plain_yaml import YAMLError, reason
from llmdgen.registry import Draft, found, rule
from llmdgen.verify.invariants.allocation import FILE as ALLOCATION
from llmdgen.verify.manifests import FOLDER, manifest_names
from llmdgen.verify.rendered import Rendered

Route = tuple[str | int, ...]
_FIX = "render again"
_OBJECT = re.compile(r"Chart\.yaml|templates/[a-z0-9][a-z0-9.-]*\.yaml")
# What a render names its manifests. Anything else in the folder, such as a kustomization.yaml, is the user's own.
_OURS = re.compile(r"[1-9][0-9]*-[a-z0-9.-]+\.yaml")


@rule("VER100", "error", "a part of the rendered directory is missing")
def parts_are_there(rendered: Rendered) -> Iterator[Draft]:
    """A render writes allocation.yaml and the arguments of every role. Without them quotas, capacity reservations and
    reviewers have nothing to go by, and nothing here can be held against the values: an edit of these would pass.

    Fails:  a directory without allocation.yaml, or without vllm/.
    Passes: allocation.yaml, and a file in vllm/ for each role.
    """
    if ALLOCATION not in rendered.files:
        yield found(says="the directory has none", fix=_FIX, of=ALLOCATION)
    if rendered.model_servers and not any(name.startswith("vllm/") for name in rendered.files):
        yield found(says="the directory has no file of vLLM's arguments", fix=_FIX, of="vllm/")


@rule("VER101", "error", "a file of manifests/ is not what helm makes")
def manifests_are_what_helm_makes(rendered: Rendered) -> Iterator[Draft]:
    """`render --manifests` writes the objects that helm makes of both charts, one a file, and tools that deploy
    rendered manifests take them from there. A directory whose manifests and charts differ deploys two things.

    Fails:  replicas: 5 in the manifest of a Deployment whose file in chart/ says 4; a manifest of an object that is
            gone.
    Passes: the manifests of the same render; no manifests at all.
    """
    written = {name for name in rendered.files if name.startswith(f"{FOLDER}/")}
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
        for path, says in _differences(doc, manifest.doc):
            yield found(*path, says=f"{says} of {manifest}", fix=_FIX, of=name)
    for name in sorted(written - set(real)):
        if _OURS.fullmatch(name.rpartition("/")[2]):
            yield found(says="no release makes this object", fix=_FIX, of=name)


@rule("VER110", "error", "Helm would do more with the local chart than pass it on")
def the_local_chart_is_static(rendered: Rendered) -> Iterator[Draft]:
    """The files of chart/templates are the objects that the cluster gets, and what a reviewer reads. An action in one
    of them, or a file of another kind beside them, makes Helm apply what stands in no file. Two opening braces inside
    a text are written as an action that prints them; that is the only one.

    Fails:  image: {{ .Values.image }} in chart/templates/decode.yaml; chart/values.yaml; chart/crds/x.yaml.
    Passes: "{{ `{{` }} role }}", which Helm prints as "{{ role }}".
    """
    for name, text in rendered.files.items():
        if not name.startswith(f"{CHART}/"):
            continue
        if not _OBJECT.fullmatch(name.removeprefix(f"{CHART}/")):
            says = "it is not an object of chart/templates"
            yield found(says=says, fix="remove it, and say in the spec what it is for", of=name)
        elif "{{" in text.replace(passed_on("{{"), ""):
            yield found(says="it holds an action that Helm executes", fix=_FIX, of=name)


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


def _differences(written: Any, real: Any, path: Route = ()) -> Iterator[tuple[Route, str]]:
    """Where two documents part, and how; a key that only one has counts once, whatever is below it."""
    if isinstance(written, dict) and isinstance(real, dict):
        for key in (*real, *(key for key in written if key not in real)):
            if key not in written:
                yield path, f"it lacks {key}"
            elif key not in real:
                yield path, f"it has {key}, which is not part"
            else:
                yield from _differences(written[key], real[key], (*path, str(key)))
    elif isinstance(written, list) and isinstance(real, list) and len(written) == len(real):
        for index, (one, other) in enumerate(zip(written, real, strict=True)):
            yield from _differences(one, other, (*path, index))
    elif written != real or type(written) is not type(real):
        yield path, f"it is {_short(written)}, helm makes {_short(real)}"


def _short(value: Any) -> str:
    text = f"{len(value)} entries" if isinstance(value, (dict, list)) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
