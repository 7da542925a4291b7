"""The prerequisites of an llm-d release as types: prerequisites.toml, and the pins of release.toml."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import msgspec
from msgspec import Struct

from llmdgen.facts.catalogue import release_toml
from llmdgen.facts.types import Fact, Release

FILE = "prerequisites.toml"
Need = Literal["istio", "kgateway", "agentgateway", "load_balancer", "multinode", "efa", "gpu"]


class ClusterRelease(Fact, frozen=True, kw_only=True):
    """A Helm release of the cluster.

    `pin` names the pin with its chart repository, version and namespace; `alias` is what the helmfile calls that
    repository, None for oci://; `needed` is what makes it necessary; `after` holds the releases that must run first,
    where they are rendered; `values` is its template. `cluster_values` says that it also reads the user's cluster.yaml,
    `switch` that a cluster may have it already, and `new_kinds` that it makes objects of kinds which the cluster learns
    only with it or its predecessor, so that no preview of the first run can be validated.
    """

    name: str
    chart: str
    pin: str
    alias: str | None = None
    needed: Need
    why: str
    after: tuple[str, ...] = ()
    values: str | None = None
    cluster_values: bool = False
    switch: str | None = None
    new_kinds: bool = False


class ServedKind(Fact, frozen=True, kw_only=True):
    """A CustomResourceDefinition by its name, the version in which objects of it are written or read, and what brings
    it; `needed` is what makes it necessary."""

    name: str
    version: str
    of: str
    needed: Need | Literal["always"]


class CustomResources(Fact, frozen=True, kw_only=True):
    """CustomResourceDefinitions that are applied before any chart: a file, or a kustomization, of a pinned version;
    `needs_kubernetes` is the least version of the cluster that takes them."""

    of: str
    pin: str
    url: str | None = None
    kustomize: str | None = None
    optional: bool = False
    needs_kubernetes: str | None = None


class Hazard(Fact, frozen=True, kw_only=True):
    """A step between versions of a release that destroys something: from `below`, to `reaches` or more; `before` are
    the commands that must come first. `else_keep` is the version that a cluster may stay on instead."""

    release: str
    below: str
    reaches: str
    says: str
    before: tuple[str, ...]
    else_keep: str


class Prerequisites(Struct, frozen=True, kw_only=True):
    """All that prerequisites.toml and a release's own pins say. `switches` hold the default of each platform."""

    releases: tuple[ClusterRelease, ...]
    kinds: tuple[ServedKind, ...]
    crds: tuple[CustomResources, ...]
    hazards: tuple[Hazard, ...] = ()
    pins: dict[str, dict[str, Any]]
    switches: dict[str, dict[str, Any]]

    def switches_of(self, platform: str, needs: Collection[Need]) -> list[dict[str, Any]]:
        """What a cluster of that platform may have already, and whether it is installed all the same by default."""
        return [
            {"name": release.switch, "enabled": self.switches[release.switch][platform]}
            for release in self.releases
            if release.switch is not None and release.needed in needs
        ]


def prerequisites(release: Release) -> Prerequisites:
    """The prerequisites of a release. Raises FileNotFoundError where nobody wrote them down."""
    table = release_toml(release.name, FILE)
    return msgspec.convert({**table, "pins": {**release.prerequisites, **table["pins"]}}, Prerequisites)
