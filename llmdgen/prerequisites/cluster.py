"""What specs ask of their cluster, gathered: one cluster for each platform and gateway provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from llmdgen.api import draft, targets
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
    """An instance type that specs run on: `label` is its value of node.kubernetes.io/instance-type on the platform,
    `specs` who asks for it."""

    label: str
    instance: Instance
    specs: tuple[str, ...]


class Namespace(Struct, frozen=True, kw_only=True):
    """A namespace of deployments and what it must hold before them: Secrets with a token, PersistentVolumeClaims.
    `disks` are the directories of the nodes' own NVMe that its pods write to."""

    name: str
    specs: tuple[str, ...]
    secrets: tuple[str, ...]
    claims: tuple[str, ...]
    disks: tuple[str, ...]


class Cluster(Struct, frozen=True, kw_only=True):
    """A cluster's needs. `labels` holds names that the platform gives: node labels and device resources; `tolerations`
    are those of every model server, which a device plugin needs to reach the same nodes."""

    platform: str
    provider: str
    release: Release
    labels: dict[str, Any]
    nodes: tuple[ClusterNode, ...]
    namespaces: tuple[Namespace, ...]
    tolerations: tuple[dict[str, Any], ...]
    needs: frozenset[Need]

    @property
    def directory(self) -> str:
        return f"{self.platform}-{self.provider}"

    @property
    def efa_nodes(self) -> tuple[ClusterNode, ...]:
        """The nodes with EFA interfaces."""
        return tuple(node for node in self.nodes if node.instance.efa.interfaces)


def clusters(specs: Sequence[Spec]) -> tuple[Cluster, ...]:
    """The clusters that the specs need, by name, whatever the order of the specs.

    Raises SpecError where a spec has no plan, or where two specs of one cluster are of different llm-d releases.
    """
    groups: dict[tuple[str, str], list[Spec]] = {}
    for spec in specs:
        groups.setdefault((spec.spec.platform, spec.spec.gateway.provider), []).append(spec)
    return tuple(_cluster(groups[key]) for key in sorted(groups))


def _cluster(specs: Sequence[Spec]) -> Cluster:
    _one_release(specs)
    plans = [draft(spec, target) for spec in specs for target in targets(spec)]
    first = plans[0]
    return Cluster(
        platform=first.spec.spec.platform,
        provider=first.gateway.provider,
        release=first.release,
        labels=first.platform,
        nodes=_nodes(plans),
        namespaces=_namespaces(plans),
        tolerations=_tolerations(plans),
        needs=frozenset(need for plan in plans for need in _needs(plan)),
    )


def _one_release(specs: Sequence[Spec]) -> None:
    first = specs[0]
    others = [
        Located(
            TWO_RELEASES.finding(
                found(
                    "spec",
                    "release",
                    says=f"llm-d {spec.spec.release}, but {first.name} on the same cluster is of {first.spec.release}",
                    fix="render the prerequisites of each release apart",
                )
            ),
            spec.locate(("spec", "release")),
        )
        for spec in specs
        if spec.spec.release != first.spec.release
    ]
    if others:
        raise SpecError(others)


def _needs(plan: Plan) -> list[Need]:
    found: list[Need] = ["gpu", plan.spec.spec.gateway.provider]
    if plan.multinode:
        found.append("multinode")
    if plan.gateway.service_type == "LoadBalancer":
        found.append("load_balancer")
    if any(role.node.instance.efa.interfaces for role in plan.roles):
        found.append("efa")
    return found


def _nodes(plans: Sequence[Plan]) -> tuple[ClusterNode, ...]:
    instances: dict[str, Instance] = {}
    specs: dict[str, set[str]] = {}
    for plan in plans:
        for role in plan.roles:
            instances[role.node.label] = role.node.instance
            specs.setdefault(role.node.label, set()).add(plan.spec.name)
    return tuple(
        ClusterNode(label=label, instance=instances[label], specs=tuple(sorted(specs[label])))
        for label in sorted(instances)
    )


def _tolerations(plans: Sequence[Plan]) -> tuple[dict[str, Any], ...]:
    distinct = {str(sorted(toleration.items())): toleration for plan in plans for toleration in plan.tolerations}
    return tuple(distinct[key] for key in sorted(distinct))


def _namespaces(plans: Sequence[Plan]) -> tuple[Namespace, ...]:
    groups: dict[str, list[Plan]] = {}
    for plan in plans:
        groups.setdefault(plan.names.namespace, []).append(plan)
    return tuple(_namespace(name, groups[name]) for name in sorted(groups))


def _namespace(name: str, plans: Sequence[Plan]) -> Namespace:
    secrets = {plan.spec.spec.model.auth_secret_name for plan in plans}
    return Namespace(
        name=name,
        specs=tuple(sorted({plan.spec.name for plan in plans})),
        secrets=tuple(sorted(secret for secret in secrets if secret is not None)),
        claims=tuple(sorted({claim for plan in plans for claim in _claims(plan)})),
        disks=tuple(sorted({disk for plan in plans for disk in _disks(plan)})),
    )


def _claims(plan: Plan) -> list[str]:
    scheme, _, rest = plan.model_uri.partition("://")
    found = [rest.partition("/")[0]] if scheme.startswith("pvc") else []
    storage = plan.spec.spec.cache.storage
    if storage is not None and _has_tier(plan, "storage"):
        found.append(storage.claim)
    return found


def _disks(plan: Plan) -> list[str]:
    disk = plan.spec.spec.cache.disk
    return [disk.path] if disk is not None and _has_tier(plan, "disk") else []


def _has_tier(plan: Plan, name: str) -> bool:
    return any(tier.name == name for tier in plan.tiers)
