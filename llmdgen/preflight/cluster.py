"""What is asked of a live cluster: single objects and whole lists, each list once."""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar
from urllib.parse import quote

import msgspec

from llmdgen.preflight.answer import ClusterError
from llmdgen.preflight.connection import REACH, Connection, Gone
from llmdgen.preflight.parts import Page, Thing

PAGE, PAGES = 250, 2000  # objects of a list in one answer, and answers of a list
LEFT = "status.phase!=Succeeded,status.phase!=Failed"  # pods that still hold what they requested
T = TypeVar("T")


class Cluster:
    """What one context of a kubeconfig leads to. Single objects are None where they do not exist. Everything raises
    ClusterError where the cluster gives no answer that can be used, and Forbidden where it refuses one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def crd(self, name: str) -> Thing | None:
        return self._one("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", name)

    def gateway_class(self, name: str) -> Thing | None:
        return self._one("/apis/gateway.networking.k8s.io/v1", "gatewayclasses", name)

    def storage_class(self, name: str) -> Thing | None:
        return self._one("/apis/storage.k8s.io/v1", "storageclasses", name)

    def priority_class(self, name: str) -> Thing | None:
        return self._one("/apis/scheduling.k8s.io/v1", "priorityclasses", name)

    def namespace(self, name: str) -> Thing | None:
        return self._one("/api/v1", "namespaces", name)

    def claim(self, namespace: str, name: str) -> Thing | None:
        return self._one(f"/api/v1/namespaces/{quote(namespace, safe='')}", "persistentvolumeclaims", name)

    def secret_keys(self, namespace: str, name: str) -> dict[str, bool] | None:
        """The keys of a Secret and whether each has a value. Values are dropped here."""
        secret = self._one(f"/api/v1/namespaces/{quote(namespace, safe='')}", "secrets", name)
        return None if secret is None else {key: bool(value) for key, value in (secret.data or {}).items()}

    @cached_property
    def nodes(self) -> list[Thing]:
        return self._all("/api/v1", "nodes")

    @cached_property
    def pods(self) -> list[Thing]:
        """The pods of all namespaces that have not ended."""
        return self._all("/api/v1", "pods", fieldSelector=LEFT)

    @cached_property
    def daemon_sets(self) -> list[Thing]:
        """The DaemonSets of all namespaces."""
        return self._all("/apis/apps/v1", "daemonsets")

    def _one(self, group: str, resource: str, name: str) -> Thing | None:
        body = self._connection.get("get", resource, f"{group}/{resource}/{quote(name, safe='')}", {})
        return None if body is None else self._decoded("get", resource, body, Thing)

    def _all(self, group: str, resource: str, **options: str) -> list[Thing]:
        try:
            return self._pages(group, resource, options)
        except Gone:  # the list took so long that its continue token is no longer known
            return self._pages(group, resource, options)

    def _pages(self, group: str, resource: str, options: dict[str, str]) -> list[Thing]:
        found: list[Thing] = []
        query = {"limit": str(PAGE), **options}
        for _ in range(PAGES):
            body = self._connection.get("list", resource, f"{group}/{resource}", query)
            if body is None:
                says = f"{self._connection.title} knows no {resource}"
                raise ClusterError(says, "name a context of a Kubernetes cluster")
            page = self._decoded("list", resource, body, Page)
            found += page.items or []
            if not page.metadata.token:
                return found
            query["continue"] = page.metadata.token
        raise ClusterError(f"{self._connection.title} gives {resource} without end, {PAGES} pages so far", REACH)

    def _decoded(self, verb: str, resource: str, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            says = f"{self._connection.title} answers to {verb} {resource} with nothing that Kubernetes would write"
            raise ClusterError(f"{says}: {error}", REACH) from error
