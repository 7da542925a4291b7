"""How a workload replaces its pods: how many may be missing meanwhile, by its strategy or by Kubernetes' defaults."""

from __future__ import annotations

from msgspec import Struct

from llmdgen.diff.servers import GROUPS
from llmdgen.diff.state import State

_STRATEGIES = {GROUPS: "spec.rolloutStrategy.rollingUpdateConfiguration", "Deployment": "spec.strategy.rollingUpdate"}
# A Deployment starts up to a quarter more pods and removes up to a quarter; a LeaderWorkerSet replaces one by one.
_DEFAULTS: dict[str, tuple[int | str, int | str]] = {GROUPS: (1, 0), "Deployment": ("25%", "25%")}


class Rollout(Struct, frozen=True):
    """`missing`: how many replicas may be gone before their successors are ready; `unit`: what a replica is."""

    says: str
    unit: str
    missing: int


def rollout(state: State, role: str) -> Rollout:
    """How a change of its pods reaches a role, where it has as many replicas as the state says."""
    kind = state.text(role, "workload", "kind")
    replicas = int(state.number(role, "replicas", "replicas"))
    unit = "group" if kind == GROUPS else "pod"
    if state.get(role, "value", "spec.strategy.type") == "Recreate":
        return Rollout("all at once", unit, replicas)
    if kind not in _STRATEGIES:
        return Rollout("one after the other", unit, 1)
    unavailable, surge = (
        default if (given := state.get(role, "value", f"{_STRATEGIES[kind]}.{name}")) is None else given
        for name, default in zip(("maxUnavailable", "maxSurge"), _DEFAULTS[kind], strict=True)
    )
    missing = _share(unavailable, replicas)
    if not missing and not _share(surge, replicas, rounds_up=True):
        missing = 1  # as the Deployment's controller does, which could not go on otherwise
    return Rollout("group by group" if kind == GROUPS else "a rolling update", unit, missing)


def _share(value: object, replicas: int, rounds_up: bool = False) -> int:
    """A number of replicas, or a percentage of them."""
    text = str(value)
    if text.removesuffix("%").isdecimal():
        number = int(text.removesuffix("%"))
        return (number * replicas + (99 if rounds_up else 0)) // 100 if text.endswith("%") else number
    return 0
