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

CONFLICT = declare("""PATH001 error: paths that set the same thing differently
    Composed paths have to agree on every vLLM flag, environment variable and KV connector that both set.

    Fails:  two paths whose settings give one flag different values.
    Passes: the same paths, with the flag in `engine.args`, which settles it.
""")
TRANSFER = "kv-transfer-config"
_ANY = ("supervised", "prefiller_sampling", "kv_events", "crosses_pods", "cleans_shm")  # true where one path says so
_ALL = ("volumes", "tiers", "notes")


class Folded(Contribution, frozen=True, kw_only=True):
    """The contributions of all paths as one; `path` names them all, `asks` holds what each asks of the scheduler."""

    asks: dict[str, PathForm] = field(default_factory=dict)


def fold(contributions: Sequence[Contribution], settled: set[str]) -> tuple[Folded, list[Finding]]:
    """Fold contributions, and say where they conflict. `settled` are flags and variables that the spec itself sets."""
    origin: dict[str, str] = {}  # the path that said it first
    conflicts: list[Finding] = []

    def keep(table: dict[str, Any], key: str, value: Any, path: str, what: str = "", flag: str = "") -> None:
        """Put a value into a table, or say that another path had another. `what` is how it is called, where that is not
        its key, and `flag` the one by which the spec settles it."""
        what, flag = what or key, flag or key
        known, first = table.setdefault(key, value), origin.setdefault(what, path)
        if known != value and flag not in settled:
            says = f"{first} and {path} set {what} differently"
            fix = f"set {flag} in engine.args or engine.env, or leave one of the paths out"
            conflicts.append(CONFLICT.at("spec", "with", says=says, fix=fix))

    args: dict[str, Any] = {}
    role_args: dict[RoleName, dict[str, Any]] = {}
    env: dict[str, EnvVar] = {}
    connectors: dict[str, Connector] = {}
    for each in contributions:
        for flag, value in each.args.items():
            keep(args, flag, value, each.path)
        for role, flags in each.role_args.items():
            for flag, value in flags.items():
                keep(role_args.setdefault(role, {}), flag, value, each.path, f"{flag} of {role}")
        for variable in each.env:
            keep(env, variable.name, variable, each.path)
        for connector in each.connectors:
            keep(connectors, connector.name, connector, each.path, f"connector {connector.name}", TRANSFER)
    for role, of_role in role_args.items():
        for flag, value in of_role.items():
            first, second = origin.get(flag), origin[f"{flag} of {role}"]
            if first not in (None, second):
                keep(args, flag, value, second)
    joined: dict[str, Any] = {name: any(getattr(each, name) for each in contributions) for name in _ANY}
    joined |= {name: tuple(part for each in contributions for part in getattr(each, name)) for name in _ALL}
    folded = Folded(
        path=" + ".join(each.path for each in contributions),
        args=args,
        role_args=role_args,
        env=tuple(env.values()),
        connectors=tuple(connectors.values()),
        asks={each.path: each.scheduling for each in contributions},
        block_size=max((each.block_size for each in contributions if each.block_size is not None), default=None),
        non_cached_tokens=next((n for each in contributions if (n := each.non_cached_tokens) is not None), None),
        memory_mib=sum((Counter(each.memory_mib) for each in contributions), Counter[RoleName]()),
        shm_mib=sum((Counter(each.shm_mib) for each in contributions), Counter[RoleName]()),
        startup_minutes=max(each.startup_minutes for each in contributions),
        **joined,
    )
    return folded, conflicts
