"""What is asked of a live cluster: single objects and whole lists, each list once.

Objects are one type for every kind: what a kind does not have is empty, what nobody looks at is skipped, and an answer
that is anything else is refused as a whole.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct, field

from llmdgen.preflight.answer import ClusterError
from llmdgen.preflight.connection import REACH, Connection, Gone

PAGE, PAGES = 250, 2000  # objects of a list in one answer, and answers of a list
LEFT = "status.phase!=Succeeded,status.phase!=Failed"  # pods that still hold what they requested
_GROUPS = {
    "customresourcedefinitions": "/apis/apiextensions.k8s.io/v1",
    "daemonsets": "/apis/apps/v1",
    "gatewayclasses": "/apis/gateway.networking.k8s.io/v1",
    "priorityclasses": "/apis/scheduling.k8s.io/v1",
    "storageclasses": "/apis/storage.k8s.io/v1",
}
T = TypeVar("T")
# Far above what Kubernetes lets in, and low enough that no answer fills the memory.
Text = Annotated[str, Meta(max_length=4096)]
Texts = dict[Text, Text]
Quantities = dict[Text, Text | int | float]
MOST = Meta(max_length=1000)  # of the containers, taints, conditions of one object


class Part(Struct, frozen=True, rename="camel"):
    """A part of an object."""


class Metadata(Part, frozen=True):
    name: Text = ""
    namespace: Text = ""
    labels: Texts | None = None
    deletion_timestamp: Text | None = None


class Condition(Part, frozen=True):
    type: Text = ""
    status: Text = ""


class NodeInfo(Part, frozen=True):
    architecture: Text = ""


class Status(Part, frozen=True):
    """Conditions; the phase of a namespace, claim or pod; what a node is and offers."""

    conditions: Annotated[list[Condition], MOST] | None = None
    phase: Text = ""
    access_modes: list[Text] = []
    allocatable: Quantities = {}
    node_info: NodeInfo = NodeInfo()


class Version(Part, frozen=True):
    name: Text = ""
    served: bool = False


class Resources(Part, frozen=True):
    requests: Quantities = {}


class Container(Part, frozen=True):
    image: Text = ""
    restart_policy: Text = ""
    resources: Resources = Resources()


class Template(Part, frozen=True):
    spec: Spec | None = None


class Spec(Part, frozen=True):
    """Of a pod, a CustomResourceDefinition (versions), a claim (class and modes), a node (taints), a DaemonSet."""

    node_name: Text = ""
    containers: Annotated[list[Container], MOST] = []
    init_containers: Annotated[list[Container], MOST] = []
    resources: Resources = Resources()
    overhead: Quantities = {}
    versions: Annotated[list[Version], MOST] = []
    storage_class_name: Text = ""
    access_modes: list[Text] = []
    unschedulable: bool = False
    taints: Annotated[list[Texts], MOST] = []
    template: Template = Template()


class Thing(Part, frozen=True):
    """An object; `data` is that of a Secret, `volume_binding_mode` of a StorageClass."""

    metadata: Metadata = Metadata()
    spec: Spec = Spec()
    status: Status = Status()
    data: dict[Text, str] | None = None
    volume_binding_mode: Text = ""

    @property
    def labels(self) -> Texts:
        return self.metadata.labels or {}

    @property
    def is_leaving(self) -> bool:
        """Whether it waits to be deleted: it takes nothing new."""
        return bool(self.metadata.deletion_timestamp)

    def condition(self, kind: str) -> str:
        """The status of that condition, "" where nobody set it."""
        return next((each.status for each in self.status.conditions or () if each.type == kind), "")


class Continued(Part, frozen=True):
    token: Text | None = field(name="continue", default=None)


class Page(Part, frozen=True):
    """A page of a list, and with which token the next one is asked for."""

    items: list[Thing] | None = None
    metadata: Continued = Continued()


class Cluster:
    """What one context of a kubeconfig leads to. Single objects are None where they do not exist. Everything raises
    ClusterError where the cluster gives no answer that can be used, and Forbidden where it refuses one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def one(self, resource: str, name: str, namespace: str = "") -> Thing | None:
        """The object of that name, of its namespace where it has one."""
        inside = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        path = f"{_GROUPS.get(resource, '/api/v1')}{inside}/{resource}/{quote(name, safe='')}"
        body = self._connection.get("get", resource, path, {})
        return None if body is None else self._decoded("get", resource, body, Thing)

    def secret_keys(self, namespace: str, name: str) -> dict[str, bool] | None:
        """The keys of a Secret and whether each has a value. Values are dropped here."""
        secret = self.one("secrets", name, namespace)
        return None if secret is None else {key: bool(value) for key, value in (secret.data or {}).items()}

    @cached_property
    def nodes(self) -> list[Thing]:
        return self._all("nodes")

    @cached_property
    def pods(self) -> list[Thing]:
        """The pods of all namespaces that have not ended."""
        return self._all("pods", fieldSelector=LEFT)

    @cached_property
    def daemon_sets(self) -> list[Thing]:
        """The DaemonSets of all namespaces."""
        return self._all("daemonsets")

    def _all(self, resource: str, **options: str) -> list[Thing]:
        try:
            return self._pages(resource, options)
        except Gone:  # the list took so long that its continue token is no longer known
            return self._pages(resource, options)

    def _pages(self, resource: str, options: dict[str, str]) -> list[Thing]:
        found: list[Thing] = []
        path = f"{_GROUPS.get(resource, '/api/v1')}/{resource}"
        query = {"limit": str(PAGE), **options}
        for _ in range(PAGES):
            body = self._connection.get("list", resource, path, query)
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
