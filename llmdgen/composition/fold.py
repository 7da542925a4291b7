"""Several paths' contributions become one.

Lists join in the order of the paths, the main one first. A flag that two paths set to different values, or an
environment variable or a connector of one name, is a conflict that names both. Block sizes are wishes; the largest
wins, because a transfer over EFA costs by the block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


class Folded(Contribution, frozen=True, kw_only=True):
    """The contributions of all paths as one; `path` names them all, `asks` holds what each asks of the scheduler."""

    asks: dict[str, PathForm] = field(default_factory=dict)


def fold(contributions: Sequence[Contribution], settled: set[str]) -> tuple[Folded, list[Finding]]:
    """Fold contributions, and say where they conflict. `settled` are flags and variables that the spec itself sets."""
    conflicts: list[Finding] = []
    args: dict[str, Any] = {}
    role_args: dict[RoleName, dict[str, Any]] = {}
    env: dict[str, EnvVar] = {}
    origin: dict[str, str] = {}
    for each in contributions:
        for flag, value in each.args.items():
            conflicts += _clash(flag, args.get(flag, value), value, origin, each.path, settled)
            args.setdefault(flag, value)
        for role, flags in each.role_args.items():
            of_role = role_args.setdefault(role, {})
            for flag, value in flags.items():
                conflicts += _clash(flag, of_role.get(flag, value), value, origin, each.path, settled, role)
                of_role.setdefault(flag, value)
        for variable in each.env:
            known = env.setdefault(variable.name, variable)
            conflicts += _clash(variable.name, known, variable, origin, each.path, settled)
    for role, of_role in role_args.items():
        for flag, value in of_role.items():
            first, second = origin.get(f" {flag}"), origin[f"{role} {flag}"]
            if first not in (None, second):
                conflicts += _clash(flag, args[flag], value, origin, second, settled)
    connectors, clashing = _connectors(contributions, settled)
    conflicts += clashing
    decider = next((each.non_cached_tokens for each in contributions if each.non_cached_tokens is not None), None)
    wishes = [each.block_size for each in contributions if each.block_size is not None]
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
        supervised=any(each.supervised for each in contributions),
        prefiller_sampling=any(each.prefiller_sampling for each in contributions),
        kv_events=any(each.kv_events for each in contributions),
        crosses_pods=any(each.crosses_pods for each in contributions),
        cleans_shm=any(each.cleans_shm for each in contributions),
        memory_mib=_summed([each.memory_mib for each in contributions]),
        shm_mib=_summed([each.shm_mib for each in contributions]),
        tiers=tuple(tier for each in contributions for tier in each.tiers),
        startup_minutes=max(each.startup_minutes for each in contributions),
        notes=tuple(note for each in contributions for note in each.notes),
    )
    return folded, conflicts


def _clash(
    name: str, known: Any, value: Any, origin: dict[str, str], path: str, settled: set[str], role: str = ""
) -> Iterator[Finding]:
    first = origin.setdefault(f"{role} {name}", path)
    if known != value:
        yield from _conflict(first, path, f"{name} of {role}" if role else name, name, settled)


def _conflict(first: str, second: str, what: str, name: str, settled: set[str]) -> Iterator[Finding]:
    if name not in settled:
        yield Finding(
            CONFLICT.code,
            CONFLICT.severity,
            f"{first} and {second} set {what} differently",
            f"set {name} in engine.args or engine.env, or leave one of the paths out",
            ("spec", "with"),
        )


def _connectors(contributions: Sequence[Contribution], settled: set[str]) -> tuple[dict[str, Connector], list[Finding]]:
    """Each connector once, and where two paths want one of different settings; a flag of the spec's own settles it."""
    found: dict[str, tuple[str, Connector]] = {}
    conflicts: list[Finding] = []
    for each in contributions:
        for connector in each.connectors:
            path, known = found.setdefault(connector.name, (each.path, connector))
            if (known.extra, known.extra_by_role) != (connector.extra, connector.extra_by_role):
                conflicts += _conflict(path, each.path, f"connector {connector.name}", TRANSFER, settled)
    return {name: connector for name, (_, connector) in found.items()}, conflicts


def _summed(amounts: Sequence[dict[RoleName, int]]) -> dict[RoleName, int]:
    found: dict[RoleName, int] = {}
    for each in amounts:
        for role, amount in each.items():
            found[role] = found.get(role, 0) + amount
    return found
