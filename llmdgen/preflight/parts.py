"""What a preflight looks at of Kubernetes' objects, as one type for every kind: what a kind does not have is empty,
what nobody looks at is skipped, and an answer that is anything else is refused as a whole."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

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
