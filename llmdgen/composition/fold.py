"""Several paths' contributions become one.

Lists join in the order of the paths, the main one first. A flag that two paths set to different values, or an
environment variable, is a conflict that names both. Two scorers of the same plugin and parameters are one, with the
weight of the first. Block sizes are wishes; the largest wins, because a transfer over EFA costs by the block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llmdgen.composition.contribution import Contribution, EnvVar, Scorer
from llmdgen.composition.names import RoleName
from llmdgen.findings import Finding
from llmdgen.registry import declare

CONFLICT = declare(
    "PATH001",
    "error",
    "paths that set the same thing differently",
    """Composed paths have to agree on every vLLM flag and environment variable that both set.

    Fails:  two paths whose settings give one flag different values.
    Passes: the same paths, with the flag in `engine.args`, which settles it.
    """,
)


class Folded(Contribution, frozen=True, kw_only=True):
    """The contributions of all paths as one; `path` names them all."""


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
            role_args.setdefault(role, {}).update(flags)
        for variable in each.env:
            known = env.setdefault(variable.name, variable)
            conflicts += _clash(variable.name, known, variable, origin, each.path, settled)
    decider = next((each.non_cached_tokens for each in contributions if each.non_cached_tokens is not None), None)
    wishes = [each.block_size for each in contributions if each.block_size is not None]
    folded = Folded(
        path=" + ".join(each.path for each in contributions),
        args=args,
        role_args=role_args,
        env=tuple(env.values()),
        volumes=tuple(volume for each in contributions for volume in each.volumes),
        connectors=_unique([connector for each in contributions for connector in each.connectors]),
        scorers=tuple(_scorers(contributions, keeps_prefix_state=bool(decider))),
        block_size=max(wishes, default=None),
        non_cached_tokens=decider,
        supervised=any(each.supervised for each in contributions),
        prefiller_sampling=any(each.prefiller_sampling for each in contributions),
        kv_events=any(each.kv_events for each in contributions),
        crosses_pods=any(each.crosses_pods for each in contributions),
        memory_mib={
            role: sum(each.memory_mib.get(role, 0) for each in contributions) for role in _roles(contributions)
        },
        tiers=tuple(tier for each in contributions for tier in each.tiers),
        startup_minutes=max(each.startup_minutes for each in contributions),
        notes=tuple(note for each in contributions for note in each.notes),
    )
    return folded, conflicts


def _clash(
    name: str, known: Any, value: Any, origin: dict[str, str], path: str, settled: set[str]
) -> Iterator[Finding]:
    first = origin.setdefault(name, path)
    if known != value and name not in settled:
        yield Finding(
            CONFLICT.code,
            CONFLICT.severity,
            f"{first} and {path} set {name} differently",
            f"set {name} in engine.args or engine.env, or leave one of the paths out",
            ("spec", "with"),
        )


def _unique(connectors: list[Any]) -> tuple[Any, ...]:
    by_name = {connector.name: connector for connector in reversed(connectors)}
    return tuple(by_name[name] for name in dict.fromkeys(connector.name for connector in connectors))


def _scorers(contributions: Sequence[Contribution], *, keeps_prefix_state: bool) -> Iterator[Scorer]:
    """Each scorer once. The prefix scorer stays beside one that replaces it where a decider reads what it prepares."""
    replaced = {name for each in contributions for name in each.replaces}
    if keeps_prefix_state:
        replaced.discard("prefix-cache-scorer")
    seen: list[Scorer] = []
    for scorer in (scorer for each in contributions for scorer in each.scorers):
        known = any(other.type == scorer.type and other.parameters == scorer.parameters for other in seen)
        seen.append(scorer)
        if not known and scorer.name not in replaced:
            yield scorer


def _roles(contributions: Sequence[Contribution]) -> list[RoleName]:
    return list(dict.fromkeys(role for each in contributions for role in each.memory_mib))
