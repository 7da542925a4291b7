"""What a rendered directory becomes in the cluster, arranged for the rules that look at it.

Everything here is read from the files and the manifests alone, so that a rule sees what the cluster would see and not
what the plan meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from llmdgen.facts.catalogue import release, release_names
from llmdgen.facts.types import Release
from llmdgen.findings import Route
from llmdgen.kube.servers import Servers
from llmdgen.kube.workload import Manifest, Workload
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.untyped import at, mapping
from llmdgen.verify.state import HELMFILE, HelmRelease, read_state

ALLOCATION = "allocation.yaml"
_POOL_GROUP = "inference.networking.k8s.io"
_STATED = re.compile(r"^release: [\"']?([^\s\"']+)", re.MULTILINE)


class Rendered(Servers):
    """A rendered directory: its objects, its own files by their paths, and the llm-d release that it deploys. Where it
    `is_sealed`, the lock says that llmdgen wrote the files. Raises VerifyError where helmfile.yaml cannot be used."""

    def __init__(self, manifests: tuple[Manifest, ...], files: Mapping[str, str], is_sealed: bool = False) -> None:
        self.files = files
        self.is_sealed = is_sealed
        self.state = read_state(files[HELMFILE])
        self.releases = self.state.releases
        attached = {role: at(row, "efaPerNode") for role, row in mapping(self.stated.get("roles")).items()}
        known = {role: number for role, number in attached.items() if isinstance(number, int)}
        super().__init__(manifests, _release_of(self.releases, files), attached=known)

    @property
    def parts(self) -> dict[str, Iterable[object]]:
        """The rules over model servers look at it too."""
        return {**super().parts, "Servers": (self,)}

    def document(self, name: str) -> Any:
        """A file of the directory as YAML, read once; None for an empty one and for one that is not there. Raises
        YAMLError where it is not YAML, has a key twice or is nested without end."""
        document = _document(self.files.get(name, ""))
        if isinstance(document, YAMLError):
            raise document
        return document

    def settings(self, name: str) -> dict[str, Any]:
        """A file of the directory that holds a mapping, empty where it is none."""
        try:
            return mapping(self.document(name))
        except YAMLError:
            return {}

    def find(self, kind: str, name: Any, namespace: str) -> Manifest | None:
        """The object of that kind and name in that namespace, None where there is none."""
        named = (each for each in self.of_kind(kind) if each.name == name and each.namespace == namespace)
        return next(named, None)

    def own(self) -> Iterator[Manifest]:
        """The objects of the local chart, none where the lock vouches for them."""
        releases = {each.name for each in self.releases if each.is_own and not self.is_sealed}
        return (each for each in self.manifests if each.release in releases)

    @cached_property
    def pools(self) -> tuple[Manifest, ...]:
        return tuple(self.of_kind("InferencePool", _POOL_GROUP))

    @cached_property
    def stated(self) -> dict[str, Any]:
        """allocation.yaml, empty where the directory has none or it is not YAML."""
        return self.settings(ALLOCATION)

    def pools_of(self, workload: Workload) -> list[Manifest]:
        """The pools of the workload's namespace that select its pods."""
        here = (pool for pool in self.pools if pool.namespace == workload.namespace)
        return [pool for pool in here if selects(match_labels(pool), workload.labels)]

    def selected(self, selector: Mapping[str, Any]) -> list[Workload]:
        """The pod templates whose labels a selector matches."""
        return [each for each in self.workloads if selects(selector, each.labels)]


@lru_cache(maxsize=64)
def _document(text: str) -> Any:
    """What a text holds, or why it cannot be read. Every rule that asks for a file gets the same."""
    try:
        return load(text)
    except YAMLError as error:
        return error
    except RecursionError:
        return YAMLError("it is nested too deeply")


def match_labels(manifest: Manifest) -> dict[str, Any]:
    """The labels that an object selects pods by."""
    return mapping(at(manifest.doc, "spec", "selector", "matchLabels"))


def selects(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether a selector that is not empty matches the labels."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def differences(written: Any, real: Any, whose: str, path: Route = ()) -> Iterator[tuple[Route, str]]:
    """Where a document parts from the real one, and how; a key that only one has counts once, whatever is below it."""
    if isinstance(written, dict) and isinstance(real, dict):
        for key in (*real, *(key for key in written if key not in real)):
            if key not in written:
                yield path, f"it lacks {key} of {whose}"
            elif key not in real:
                yield path, f"it has {key}, which is not part of {whose}"
            else:
                yield from differences(written[key], real[key], whose, (*path, str(key)))
    elif isinstance(written, list) and isinstance(real, list) and len(written) == len(real):
        for index, (one, other) in enumerate(zip(written, real, strict=True)):
            yield from differences(one, other, whose, (*path, index))
    elif written != real or type(written) is not type(real):
        yield path, f"it is {_short(written)}, and {_short(real)} in {whose}"


def _short(value: Any) -> str:
    text = f"{len(value)} entries" if isinstance(value, (dict, list)) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _release_of(releases: tuple[HelmRelease, ...], files: Mapping[str, str]) -> Release:
    """The llm-d release that allocation.yaml names, else the one whose charts helmfile.yaml has, else the newest."""
    stated = _STATED.search(files.get(ALLOCATION, ""))
    if stated and stated.group(1) in release_names():
        return release(stated.group(1))
    versions = {(each.chart_name, each.version.removeprefix("v")) for each in releases if each.version}
    known = [release(name) for name in reversed(release_names())]
    for each in known:
        if versions and versions <= {(chart.name, chart.version.removeprefix("v")) for chart in each.charts.values()}:
            return each
    return known[0]
