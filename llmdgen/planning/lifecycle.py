"""How long a model server may take to start, how long it answers once it is asked to end, and how it is replaced."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from llmdgen.composition.names import RoleName
from llmdgen.spec.servers import Role

DRAIN = "2m"
SETTLE_SECONDS = 15  # until gateway and scheduler have seen that a pod ends, and for vLLM to end after its last answer
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Lifecycle(Struct, frozen=True, kw_only=True):
    """Seconds: `startup` until probes give up, `pre_stop` before vLLM is asked to end, `shutdown` in which it then
    finishes answers (None where this vLLM cannot), `grace` until the kubelet kills the pod."""

    startup: int
    pre_stop: int
    shutdown: int | None
    grace: int


def lifecycle(
    role: RoleName, asked: Role, startup_minutes: int, engine: dict[str, Any], flags: dict[str, Any]
) -> Lifecycle:
    """Where vLLM can finish answers by itself it is told how long; where it cannot, SIGTERM has to wait for them."""
    startup = seconds(asked.startup) if asked.startup else startup_minutes * 60
    drain = seconds(asked.drain or DRAIN)
    facts = engine.get("shutdown")
    if facts is None:
        return Lifecycle(startup=startup, pre_stop=drain, shutdown=None, grace=drain + 2 * SETTLE_SECONDS)
    if role == "prefill":
        drain = max(drain, facts["prefill_at_least"])
    own = flags.get(facts["flag"])
    shutdown = own if isinstance(own, int) and not isinstance(own, bool) else drain
    return Lifecycle(startup=startup, pre_stop=SETTLE_SECONDS, shutdown=shutdown, grace=shutdown + 2 * SETTLE_SECONDS)


def seconds(duration: str) -> int:
    """45m is 2700.

    >>> seconds("45m"), seconds("120s")
    (2700, 120)
    """
    return int(duration[:-1]) * _SECONDS[duration[-1]]
