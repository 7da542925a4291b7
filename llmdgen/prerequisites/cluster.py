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
from llmdgen.findings import Located, SpecError
from llmdgen.planning.model import Plan
from llmdgen.prerequisites.facts import Need
from llmdgen.registry import declare, found
from llmdgen.spec.model import Spec

TWO_RELEASES = declare(
    "PRE001",
    "error",
    "two llm-d releases on one cluster",
    """A cluster has one set of CRDs and one control plane of each gateway provider, and every llm-d release pins
    its own.

    Fails:  rendering prerequisites for specs of two releases that share platform and gateway provider.
    Passes: rendering them apart, each into its own output directory, for two clusters.
    """,
)


class ClusterNode(Struct, frozen=True, kw_only=True):
    """An instance type on which deployments can run: `label` is its value of node.kubernetes.io/instance-type."""

    label: str
    instance: Instance


class Asked(Struct, frozen=True, kw_only=True):
    """What specs ask of their cluster beyond their own fields: `tolerations` are those of the model servers, which a
    device plugin needs to reach the same nodes, and `disks` the directories of the nodes' own NVMe that pods write
    to. Equal for equal needs, whatever the order of the specs."""

    tolerations: tuple[dict[str, Any], ...]
    disks: tuple[str, ...]
    needs: tuple[Need, ...]


class Cluster(Struct, frozen=True, kw_only=True):
    """A cluster's needs, which change with the first spec that brings one and not with the next that has it too.

    `labels` holds names that the platform gives: node labels and device resources; `nodes` every instance type that
    the release's images run on, whichever the specs name.
    """

    platform: str
    provider: str
    release: Release
    labels: dict[str, Any]
    nodes: tuple[ClusterNode, ...]
    asked: Asked

    @property
    def directory(self) -> str:
        return f"{self.platform}-{self.provider}"

    @property
    def text(self) -> bytes:
        """All that specs say of the cluster, the same for equal clusters."""
        said = (self.platform, self.provider, self.release.name, *astuple(self.asked))
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
        Asked(tolerations=tuple(plan.tolerations), disks=tuple(_disks(plan)), needs=tuple(_needs(plan)))
        for plan in plans
    )


def asked_by(spec: Spec) -> Asked:
    """The same of a spec that was not planned yet. Raises SpecError where it has no plan."""
    return asked_in(draft(spec, target) for target in targets(spec))


def clusters(specs: Iterable[tuple[Spec, Asked]]) -> tuple[Cluster, ...]:
    """The clusters that the specs need, by name, whatever the order of the specs.

    Raises SpecError where two specs of one cluster are of different llm-d releases.
    """
    groups: dict[tuple[str, str], list[tuple[Spec, Asked]]] = {}
    for spec, asked in specs:
        groups.setdefault((spec.asked.platform, spec.asked.gateway.provider), []).append((spec, asked))
    return tuple(_cluster(*zip(*groups[key], strict=True)) for key in sorted(groups))


def _cluster(specs: Sequence[Spec], asked: Sequence[Asked]) -> Cluster:
    _one_release(specs)
    first = specs[0].asked
    labels, release = catalogue.table("platforms.toml"), catalogue.release(first.release)
    return Cluster(
        platform=first.platform,
        provider=first.gateway.provider,
        release=release,
        labels=labels,
        nodes=_nodes(labels[first.platform]["prefix"], release),
        asked=together(asked),
    )


def _one_release(specs: Sequence[Spec]) -> None:
    first = specs[0]
    on = f"{first.name} on the same cluster is of {first.asked.release}"
    others = [
        Located(
            TWO_RELEASES.finding(
                found(
                    "spec",
                    "release",
                    says=f"llm-d {spec.asked.release}, but {on}",
                    fix="render the prerequisites of each release apart",
                )
            ),
            spec.locate(("spec", "release")),
        )
        for spec in specs
        if spec.asked.release != first.asked.release
    ]
    if others:
        raise SpecError(others)


def _needs(plan: Plan) -> list[Need]:
    found: list[Need] = ["gpu", "efa", plan.spec.asked.gateway.provider]
    if plan.multinode:
        found.append("multinode")
    if plan.gateway.needs_controller:
        found.append("load_balancer")
    return found


def _nodes(prefix: str, release: Release) -> tuple[ClusterNode, ...]:
    """Every instance type with whole GPUs and an image of its architecture, as the platform labels it."""
    known = [catalogue.instance(name) for name in catalogue.instance_names()]
    return tuple(
        ClusterNode(label=f"{prefix}{each.name}", instance=each)
        for each in sorted(known, key=lambda each: each.name)
        if each.gpu.count and each.architecture in release.architectures
    )


def _disks(plan: Plan) -> list[str]:
    sources = [volume.source.get("hostPath", {}) for role in plan.roles for volume in role.volumes if volume.slots]
    return [source["path"] for source in sources]
