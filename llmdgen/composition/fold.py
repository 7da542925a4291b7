"""Several paths' contributions become one.

Lists join in the order of the paths, the main one first. A flag that two paths set to different values, or an
environment variable or a connector of one name, is a conflict that names both. Block sizes are wishes; the largest
wins, because a transfer over EFA costs by the block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import field

from llmdgen.composition.contribution import Connector, Contribution, EnvVar
from llmdgen.composition.names import RoleName
from llmdgen.findings import Finding
from llmdgen.registry import declare
from llmdgen.scheduling.form import PathForm

CONFLICT = declare(
    "PATH001",
    "error",
    "paths that set the same thing differently",
    """Composed paths have to agree on every vLLM flag, environment variable and KV connector that both set.

    Fails:  two paths whose settings give one flag different values.
    Passes: the same paths, with the flag in `engine.args`, which settles it.
    """,
)
TRANSFER = "kv-transfer-config"
_ANY = ("supervised", "prefiller_sampling", "kv_events", "crosses_pods", "cleans_shm")  # true where one path says so


class Folded(Contribution, frozen=True, kw_only=True):
    """The contributions of all paths as one; `path` names them all, `asks` holds what each asks of the scheduler."""

    asks: dict[str, PathForm] = field(default_factory=dict)


def fold(contributions: Sequence[Contribution], settled: set[str]) -> tuple[Folded, list[Finding]]:
    """Fold contributions, and say where they conflict. `settled` are flags and variables that the spec itself sets."""
    said = _Said(settled)
    args: dict[str, Any] = {}
    role_args: dict[RoleName, dict[str, Any]] = {}
    env: dict[str, EnvVar] = {}
    connectors: dict[str, Connector] = {}
    for each in contributions:
        for flag, value in each.args.items():
            said.clash(flag, args.setdefault(flag, value), value, each.path, flag)
        for role, flags in each.role_args.items():
            of_role = role_args.setdefault(role, {})
            for flag, value in flags.items():
                said.clash(f"{flag} of {role}", of_role.setdefault(flag, value), value, each.path, flag)
        for variable in each.env:
            said.clash(variable.name, env.setdefault(variable.name, variable), variable, each.path, variable.name)
        for connector in each.connectors:
            name, known = connector.name, connectors.setdefault(connector.name, connector)
            before, after = ((one.extra, one.extra_by_role) for one in (known, connector))
            said.clash(f"connector {name}", before, after, each.path, TRANSFER)
    for role, of_role in role_args.items():
        for flag, value in of_role.items():
            first, second = said.origin.get(flag), said.origin[f"{flag} of {role}"]
            if first not in (None, second):
                said.clash(flag, args[flag], value, second, flag)
    decider = next((each.non_cached_tokens for each in contributions if each.non_cached_tokens is not None), None)
    wishes = [each.block_size for each in contributions if each.block_size is not None]
    switches: dict[str, Any] = {name: any(getattr(each, name) for each in contributions) for name in _ANY}
    folded = Folded(
        path=" + ".join(each.path for each in contributions),
        args=args,
        role_args=role_args,
        env=tuple(env.values()),
        volumes=tuple(volume for each in contributions for volume in each.volumes),
        connectors=tuple(connectors.values()),
        asks={each.path: each.scheduling for each in contributions},
        block_size=max(wishes, default=None),
        non_cached_tokens=decider,
        **switches,
        memory_mib=sum((Counter(each.memory_mib) for each in contributions), Counter[RoleName]()),
        shm_mib=sum((Counter(each.shm_mib) for each in contributions), Counter[RoleName]()),
        tiers=tuple(tier for each in contributions for tier in each.tiers),
        startup_minutes=max(each.startup_minutes for each in contributions),
        notes=tuple(note for each in contributions for note in each.notes),
    )
    return folded, said.conflicts


class _Said:
    """Which path said what first, and where another differs. What is `settled` by the spec is no conflict."""

    def __init__(self, settled: set[str]) -> None:
        self.origin: dict[str, str] = {}
        self.conflicts: list[Finding] = []
        self._settled = settled

    def clash(self, what: str, known: Any, value: Any, path: str, name: str) -> None:
        """`name` is the flag or variable by which the spec settles it."""
        first = self.origin.setdefault(what, path)
        if known != value and name not in self._settled:
            says = f"{first} and {path} set {what} differently"
            fix = f"set {name} in engine.args or engine.env, or leave one of the paths out"
            self.conflicts.append(CONFLICT.at("spec", "with", says=says, fix=fix))
