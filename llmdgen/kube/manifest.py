"""A Kubernetes object as the cluster would get it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

CLUSTER_SCOPED = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "GatewayClass",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "StorageClass",
    }
)


class Manifest(Struct, frozen=True):
    """An object as the cluster would get it.

    `release` is the Helm release that it belongs to and `order` that release's place in helmfile.yaml, from 1;
    `namespace` is the object's own or its release's, "" for a cluster-scoped kind; `source` the template it comes from.
    """

    release: str
    order: int
    source: str
    api_version: str
    kind: str
    name: str
    namespace: str
    doc: dict[str, Any]

    @property
    def group(self) -> str:
        """The API group, "" for the core group."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"
