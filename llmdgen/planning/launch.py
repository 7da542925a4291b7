"""How vLLM is started: what stands first behind `vllm serve`, and what a replica of several pods adds."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Situation
from llmdgen.composition.names import RoleName
from llmdgen.engine.size import Size


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
    found = [model, "--port", str(port)]
    if size.tensor > 1:
        found += ["--tensor-parallel-size", str(size.tensor)]
    if size.data > 1:
        found += ["--data-parallel-size", str(size.data)]
    if size.data_local > 1:
        found += ["--data-parallel-size-local", str(size.data_local)]
    return (*found, "--served-model-name", served_name)
