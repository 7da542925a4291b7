"""What specs ask of their cluster, gathered: one cluster for each platform and gateway provider."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from llmdgen.api import draft, targets
from llmdgen.facts import catalogue
from llmdgen.facts.types import Instance, Release
from llmdgen.planning.model import Plan
from llmdgen.prerequisites.facts import Need
from llmdgen.spec.model import Spec


class Asked(Struct, frozen=True, kw_only=True):
    """What specs ask of their cluster beyond their own fields: `tolerations` are those of the model servers, which a
    device plugin needs to reach the same nodes, and `disks` the directories of the nodes' own NVMe that pods write
    to. Equal for equal needs, whatever the order of the specs."""

    tolerations: tuple[dict[str, Any], ...]
    disks: tuple[str, ...]
    needs: tuple[Need, ...]


class Cluster(Struct, frozen=True, kw_only=True):
    """A cluster's needs, which change with the first spec that brings one and not with the next that has it too.

    A cluster has one control plane of each kind, which is that of the latest `release` among its specs; deployments of
    `older` ones, newest first, stay beside while an upgrade moves the traffic. `labels` holds names that the platform
    gives: node labels and device resources; `nodes` by its label every instance type that the release's images run on,
    whichever the specs name.
    """

    platform: str
    provider: str
    release: Release
    older: tuple[Release, ...]
    labels: dict[str, Any]
    nodes: dict[str, Instance]
    asked: Asked

    @property
    def directory(self) -> str:
        return f"{self.platform}-{self.provider}"

    @property
    def text(self) -> bytes:
        """All that specs say of the cluster, the same for equal clusters."""
        older = [each.name for each in self.older]
        said = (self.platform, self.provider, self.release.name, *astuple(self.asked), *older)
        return msgspec.json.encode(said, order="sorted")


def together(asked: Iterable[Asked]) -> Asked:
    """What several ask, each thing once."""
    asked = tuple(asked)
    tolerations = {str(sorted(each.items())): each for one in asked for each in one.tolerations}
    return Asked(
        tolerations=tuple(tolerations[key] for key in sorted(tolerations)),
        disks=tuple(sorted({disk for each in asked for disk in each.disks})),
        needs=tuple(sorted({need for each in asked for need in each.needs})),
    )


def asked_in(plans: Iterable[Plan]) -> Asked:
    """What the plans of a spec ask, on all its instance types."""
    return together(
        Asked(tolerations=tuple(plan.tolerations), disks=tuple(_disks(plan)), needs=tuple(needs(plan)))
        for plan in plans
    )


def asked_by(spec: Spec) -> Asked:
    """The same of a spec that was not planned yet. Raises SpecError where it has no plan."""
    return asked_in(draft(spec, target) for target in targets(spec))


def clusters(specs: Iterable[tuple[Spec, Asked]]) -> tuple[Cluster, ...]:
    """The clusters that the specs need, by name, whatever the order of the specs."""
    groups: dict[tuple[str, str], list[tuple[Spec, Asked]]] = {}
    for spec, asked in specs:
        groups.setdefault((spec.asked.platform, spec.asked.gateway.provider), []).append((spec, asked))
    return tuple(_cluster(*key, *zip(*groups[key], strict=True)) for key in sorted(groups))


def _cluster(platform: str, provider: str, specs: Sequence[Spec], asked: Sequence[Asked]) -> Cluster:
    used = {spec.asked.release for spec in specs}
    newest, *older = (catalogue.release(name) for name in reversed(catalogue.release_names()) if name in used)
    labels = catalogue.table("platforms.toml")
    return Cluster(
        platform=platform,
        provider=provider,
        release=newest,
        older=tuple(older),
        labels=labels,
        nodes=_nodes(labels[platform]["prefix"], newest),
        asked=together(asked),
    )


def needs(plan: Plan) -> list[Need]:
    """What of a cluster a plan makes necessary."""
    found: list[Need] = ["gpu", "efa", plan.spec.asked.gateway.provider]
    if plan.multinode:
        found.append("multinode")
    if plan.gateway.needs_controller:
        found.append("load_balancer")
    return found


def _nodes(prefix: str, release: Release) -> dict[str, Instance]:
    """Every instance type with whole GPUs and an image of its architecture, as the platform labels it."""
    known = (catalogue.instance(name) for name in sorted(catalogue.instance_names()))
    return {
        f"{prefix}{each.name}": each for each in known if each.gpu.count and each.architecture in release.architectures
    }


def _disks(plan: Plan) -> list[str]:
    sources = [volume.source.get("hostPath", {}) for role in plan.roles for volume in role.volumes if volume.slots]
    return [source["path"] for source in sources]
