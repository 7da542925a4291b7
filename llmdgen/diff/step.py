"""A step from one state of a deployment to another, and what is said to follow of it."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct, structs

from llmdgen.diff.compare import Change
from llmdgen.diff.state import Facts, State, renamed, tier_name

Weight = Literal["breaks", "exposes", "interrupts", "costs", "note"]
WEIGHTS: tuple[Weight, ...] = ("breaks", "exposes", "interrupts", "costs", "note")

# What of the scheduler is in a ConfigMap, and not in its pod.
SCHEDULER_CONFIG_TOPICS = ("plugin", "weight", "parameter")
SHARED_CACHE = tier_name("storage")  # the other tiers are each pod's own, and go with it
CLAIM = "persistentVolumeClaim.claimName"  # the end of the name of a volume's fact
OWN_NODES = "{own} nodes"  # of the target's own type; where several targets need as many more, they are said once
INSTANCE_LABEL = "node selector node.kubernetes.io/instance-type"


class Consequence(Struct, frozen=True):
    """What follows of changes. `roles` are those it holds for; `{roles}` in `says` becomes their names, and `{own}` the
    instance type of the target."""

    weight: Weight
    says: str
    roles: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.says.replace("{roles}", " and ".join(self.roles))

    def on(self, targets: tuple[str, ...]) -> Consequence:
        """The same for these targets."""
        if len(targets) == 1:
            return structs.replace(self, says=self.says.replace("{own}", targets[0]))
        return structs.replace(self, says=re.sub(r"{own} (nodes?)", r"\1 of its own type", self.says))


def unquoted(text: str) -> str:
    return text.replace("`", "'")


class Step(Struct, frozen=True):
    """From one state to another by these changes."""

    old: State
    new: State
    changes: tuple[Change, ...]

    @property
    def states(self) -> tuple[State, State]:
        return self.old, self.new

    def without_backticks(self) -> Step:
        """The same for sentences, in which what stands between backticks is a command: no value begins or ends one."""

        def plain(state: State) -> State:
            facts = Facts()
            facts.update({key: renamed(value, unquoted) for key, value in state.facts.items()})
            return structs.replace(state, facts=facts)

        return Step(plain(self.old), plain(self.new), renamed(self.changes, unquoted))

    def changed(self, subject: str, *topics: str) -> list[Change]:
        """The changes of that subject in those topics."""
        return [each for each in self.changes if each.subject == subject and each.topic in topics]

    def change(self, subject: str, topic: str, name: str) -> Change | None:
        """The change of that fact, None where there is none."""
        return next((each for each in self.changed(subject, topic) if each.name == name), None)

    @property
    def is_new(self) -> bool:
        """Whether other releases or another namespace make it a deployment of its own."""
        return bool(self.changed("deployment", "name", "namespace"))

    def serves(self, role: str) -> bool:
        """Whether both sides have the role."""
        return self.old.has(role) and self.new.has(role)

    def refused(self, role: str) -> bool:
        """Whether Kubernetes refuses the new workload of a role as an update of the old."""
        is_same = self.serves(role) and not self.is_new and not self.changed(role, "workload", "name")
        return is_same and any(" " not in each.name for each in self.changed(role, "immutable"))

    def replaces(self, role: str) -> bool:
        """Whether the role's workload is another object, beside which the old one goes."""
        return self.serves(role) and not self.is_new and bool(self.changed(role, "workload", "name"))

    def restarts(self, role: str) -> bool:
        """Whether the role's pods are replaced: any difference in the pod template does that."""
        if not self.serves(role):
            return False
        return self.old.template(role).text != self.new.template(role).text or self.replaces(role)
