"""How the routing sidecar of decode pods is started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmdgen.planning.model import RolePlan, SidecarPlan


def sidecar(engine: dict[str, Any], roles: Sequence[RolePlan], *, sampling: bool) -> SidecarPlan:
    """It listens where the pool sends requests and forwards to decode's own vLLM.

    `engine` is the release's engine.toml, whose [sidecar] has the flags; `sampling`: it picks one of several prefill
    servers itself.
    """
    ports, flags = engine["ports"], engine["sidecar"]["flags"]
    words = [f"--port={ports['service']}", f"--{engine['sidecar']['server_port_flag']}={ports['behind_sidecar']}"]
    words += [f"--{name}={value}" for name, value in flags.items()]
    ranks = max(role.ranks for role in roles if role.name == "decode")
    if ranks > 1:
        words.append(f"--data-parallel-size={ranks}")
    if sampling:
        words.append("--enable-prefiller-sampling")
    return SidecarPlan(arguments=tuple(words))
