"""How a model server and its routing sidecar are started, how long that may take, and how a server ends."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from llmdgen.composition.contribution import Situation
from llmdgen.composition.names import RoleName
from llmdgen.engine.size import Size
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


def rank_flags(role: RoleName, size: Size, situation: Situation, *, supervised: bool) -> dict[str, Any]:
    """Who balances requests over data parallel ranks: the scheduler over those of supervised pods, which have a port
    each; else each pod over its own."""
    ports = situation.engine["ports"]
    flags: dict[str, Any] = {}
    if supervised:
        supervisor = ports["supervisor" if role == "decode" else "supervisor_prefill"]
        flags |= {"data-parallel-multi-port-external-lb": True, "data-parallel-supervisor-port": supervisor}
    elif size.workers > 1:
        flags["data-parallel-hybrid-lb"] = True
    if size.workers > 1:
        flags["data-parallel-rpc-port"] = ports["data_parallel_rpc"]
    return flags


def head(model: str, served_name: str, port: int, size: Size) -> tuple[str, ...]:
    """The model, the port, the parallel sizes that are not 1, and the name that requests give."""
    sizes = {"tensor-parallel-size": size.tensor, "data-parallel-size": size.data}
    sizes |= {"data-parallel-size-local": size.data_local}
    words = (word for flag, number in sizes.items() if number > 1 for word in (f"--{flag}", str(number)))
    return (model, "--port", str(port), *words, "--served-model-name", served_name)


def sidecar_arguments(engine: dict[str, Any], ranks: int, *, sampling: bool) -> tuple[str, ...]:
    """The routing sidecar listens where the pool sends requests and forwards to decode's own vLLM.

    `engine` is the release's engine.toml; `sampling`: it picks one of several prefill servers itself.
    """
    ports, settings = engine["ports"], engine["sidecar"]
    words = [f"--port={ports['service']}", f"--{settings['server_port_flag']}={ports['behind_sidecar']}"]
    words += [f"--{name}={value}" for name, value in settings["flags"].items()]
    words += [f"--data-parallel-size={ranks}"] * (ranks > 1)
    return (*words, "--enable-prefiller-sampling") if sampling else tuple(words)
