"""What a rendered directory becomes in the cluster, arranged for the rules that look at it.

`Rendered` holds the objects and the files, `Workload` a pod template with what its pods are for. Everything here is
read from the manifests alone, so that a rule sees what the cluster would see and not what the plan meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from llmdgen.facts.catalogue import release, release_names
from llmdgen.facts.types import Release
from llmdgen.kube.servers import Servers
from llmdgen.kube.workload import Manifest, Workload
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.untyped import at, mapping
from llmdgen.verify.state import HELMFILE, HelmRelease, read_state

_POOL_GROUPS = ("inference.networking.k8s.io", "inference.networking.x-k8s.io")
_STATED = re.compile(r"^release: [\"']?([^\s\"']+)", re.MULTILINE)


class Rendered:
    """A rendered directory: its objects, its own files by their paths, and the llm-d release that it deploys.

    Raises VerifyError where its helmfile.yaml cannot be used.
    """

    def __init__(self, manifests: tuple[Manifest, ...], files: Mapping[str, str], is_sealed: bool = False) -> None:
        self.manifests = manifests
        self.is_sealed = is_sealed  # the lock says that the files are those that llmdgen wrote
        self.files = files
        self.state = read_state(files[HELMFILE])
        self.release = _release_of(self.state.releases, files)
        self._documents: dict[str, Any] = {}

    @property
    def releases(self) -> tuple[HelmRelease, ...]:
        return self.state.releases

    def document(self, name: str) -> Any:
        """A file of the directory as YAML, read once; None for an empty one and for one that is not there.

        Raises YAMLError where it is not YAML, has a key twice or is nested without end.
        """
        if name not in self._documents:
            try:
                self._documents[name] = load(self.files.get(name, ""))
            except YAMLError as error:
                self._documents[name] = error
            except RecursionError:
                self._documents[name] = YAMLError("it is nested too deeply")
        document = self._documents[name]
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

    @cached_property
    def servers(self) -> Servers:
        """The same objects for the rules over model servers, with what allocation.yaml says of their nodes."""
        roles = mapping(self.stated.get("roles"))
        attached = {role: at(row, "efaPerNode") for role, row in roles.items()}
        known = {role: number for role, number in attached.items() if isinstance(number, int)}
        return Servers(self.manifests, self.release, attached=known)

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """Every pod template of every object."""
        return self.servers.workloads

    @property
    def model_servers(self) -> tuple[Workload, ...]:
        """The pod templates that run vLLM."""
        return self.servers.model_servers

    def of_kind(self, kind: str, *groups: str) -> Iterator[Manifest]:
        """The objects of a kind, of any API group where none is given."""
        return self.servers.of_kind(kind, *groups)

    def own(self) -> Iterator[Manifest]:
        """The objects of the local chart, none where the lock vouches for them."""
        releases = {each.name for each in self.releases if each.is_own and not self.is_sealed}
        return (each for each in self.manifests if each.release in releases)

    @cached_property
    def pools(self) -> tuple[Manifest, ...]:
        return tuple(self.of_kind("InferencePool", *_POOL_GROUPS))

    @cached_property
    def stated(self) -> dict[str, Any]:
        """allocation.yaml, empty where the directory has none or it is not YAML."""
        return self.settings("allocation.yaml")

    def pools_of(self, workload: Workload) -> list[Manifest]:
        """The pools of the workload's namespace that select its pods."""
        here = (pool for pool in self.pools if pool.namespace == workload.namespace)
        return [pool for pool in here if selects(pool_selector(pool.doc), workload.labels)]


def pool_selector(pool: dict[str, Any]) -> dict[str, Any]:
    """The labels that a pool selects: below matchLabels in v1, the selector itself in v1alpha2."""
    selector = mapping(at(pool, "spec", "selector"))
    labels = selector.get("matchLabels", selector)
    return mapping(labels)


def selects(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether a selector that is not empty matches the labels."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _release_of(releases: tuple[HelmRelease, ...], files: Mapping[str, str]) -> Release:
    """The llm-d release that allocation.yaml names, else the one whose charts helmfile.yaml has, else the newest."""
    stated = _STATED.search(files.get("allocation.yaml", ""))
    if stated and stated.group(1) in release_names():
        return release(stated.group(1))
    versions = {(each.chart_name, each.version.removeprefix("v")) for each in releases if each.version}
    known = [release(name) for name in reversed(release_names())]
    for each in known:
        if versions and versions <= {(chart.name, chart.version.removeprefix("v")) for chart in each.charts.values()}:
            return each
    return known[0]
