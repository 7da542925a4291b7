"""A step from one state of a deployment to another, and what is said to follow of it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from llmdgen.diff.compare import Change
from llmdgen.diff.deployment import tier_name
from llmdgen.diff.state import State, template_of

Weight = Literal["breaks", "exposes", "interrupts", "costs", "note"]
WEIGHTS: tuple[Weight, ...] = ("breaks", "exposes", "interrupts", "costs", "note")

# Facts of a role that its pods are made of.
POD_TOPICS = frozenset(
    {
        "label",
        "placement",
        "parallelism",
        "image",
        "connectors",
        "connector",
        "flag",
        "script",
        "env",
        "resource",
        "device",
        "probe",
        "port",
        "volume",
        "pod",
    }
)
# The scheduler's: its plugins are in a ConfigMap instead.
SCHEDULER_POD_TOPICS = frozenset({"image", "flag", "env", "pod"})
SCHEDULER_CONFIG_TOPICS = frozenset({"plugin", "weight", "parameter"})
# What LMCache makes its keys of: a stored block is found again only under the same.
CACHE_KEYS = frozenset(
    ("env PYTHONHASHSEED", "env LMCACHE_CHUNK_SIZE", "--kv-cache-dtype", "--dtype", "tensor parallelism")
)
SHARED_CACHE = tier_name("storage")  # the other tiers are each pod's own, and go with it
CLAIM = "persistentVolumeClaim.claimName"  # the end of the name of a volume's fact
INSTANCE_LABEL = "node selector node.kubernetes.io/instance-type"
SOURCE_RANGES = "annotation service.beta.kubernetes.io/load-balancer-source-ranges"


class Consequence(Struct, frozen=True):
    """What follows of changes. `roles` are those it holds for; `{roles}` in `says` becomes their names."""

    weight: Weight
    says: str
    roles: tuple[str, ...] = ()


class Step(Struct, frozen=True):
    """From one state to another by these changes."""

    old: State
    new: State
    changes: tuple[Change, ...]

    def changed(self, subject: str, topics: frozenset[str] | tuple[str, ...]) -> list[Change]:
        """The changes of that subject in those topics."""
        return [each for each in self.changes if each.key.subject == subject and each.key.topic in topics]

    @property
    def is_new(self) -> bool:
        """Whether other releases or another namespace make it a deployment of its own."""
        return bool(self.changed("deployment", ("name", "namespace")))

    def serves(self, role: str) -> bool:
        """Whether both sides have the role."""
        return self.old.has(role) and self.new.has(role)

    def refused(self, role: str) -> bool:
        """Whether Kubernetes refuses the new workload of a role as an update of the old."""
        is_same = self.serves(role) and not self.is_new and not self.changed(role, ("workload", "name"))
        return is_same and any(" " not in each.key.name for each in self.changed(role, ("immutable",)))

    def replaces(self, role: str) -> bool:
        """Whether the role's workload is another object, beside which the old one goes."""
        return self.serves(role) and not self.is_new and bool(self.changed(role, ("workload", "name")))

    def restarts(self, role: str) -> bool:
        """Whether the role's pods are replaced: any difference in the pod template does that."""
        if not self.serves(role):
            return False
        old, new = (state.parts[template_of(role)].text for state in (self.old, self.new))
        return old != new or self.replaces(role)


def number(value: object) -> float:
    """A value where it is a number, otherwise 0."""
    return value if isinstance(value, int | float) else 0
