"""A step from one state of a deployment to another, and what is said to follow of it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from llmdgen.diff.compare import Change
from llmdgen.diff.state import DECODE, State
from llmdgen.diff.surroundings import tier_name

Weight = Literal["breaks", "exposes", "interrupts", "costs", "note"]
WEIGHTS: tuple[Weight, ...] = ("breaks", "exposes", "interrupts", "costs", "note")

# Facts of a role that are part of its pod template, so that a change replaces the pods.
POD_TOPICS = frozenset(
    {
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
# Facts of the model that every pod carries: volume, mount, arguments and the Secret's reference.
MODEL_TOPICS = frozenset({"model", "secret"})
# What LMCache makes its keys of: a stored block is found again only under the same.
CACHE_KEYS = frozenset(
    ("env PYTHONHASHSEED", "env LMCACHE_CHUNK_SIZE", "--kv-cache-dtype", "--dtype", "tensor parallelism")
)
SHARED_CACHE = tier_name("storage")  # the other tiers are each pod's own, and go with it
CLAIM = "persistentVolumeClaim.claimName"  # the end of the name of a volume's fact
SURGE = 0.25  # of a Deployment's replicas: Kubernetes' default for pods above and below the number asked for
INSTANCE_LABEL = "node selector node.kubernetes.io/instance-type"
ACCESS_LOG = "proxy accessLogging"
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

    @property
    def is_refused(self) -> bool:
        """Whether Kubernetes refuses the new Deployments as an update of the old."""
        kinds = {state.text("deployment", "workload", "workload") for state in (self.old, self.new)}
        return kinds == {"Deployment"} and not self.is_new and bool(self.changed("deployment", ("label",)))

    def serves(self, role: str) -> bool:
        """Whether both sides have the role."""
        return all(state.text(role, "replicas", "replicas") for state in (self.old, self.new))

    def restarts(self, role: str) -> bool:
        """Whether the role's pods are replaced."""
        return self.serves(role) and bool(
            self.changed(role, POD_TOPICS)
            or self.changed("model", MODEL_TOPICS)
            or self.changed("deployment", ("label", "workload"))
            or (role == DECODE and self.changed("sidecar", ("image", "parameter")))
        )


def number(value: object) -> float:
    """A value where it is a number, otherwise 0."""
    return value if isinstance(value, int | float) else 0
