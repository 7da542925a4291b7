"""How vLLM is started: what stands first behind `vllm serve`, and what a replica of several pods adds."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Situation
from llmdgen.engine.size import Size


def multinode_flags(size: Size, situation: Situation) -> dict[str, Any]:
    """Flags of a replica that spans pods: each pod balances over its own ranks, the scheduler over the pods."""
    if size.workers == 1:
        return {}
    return {"data-parallel-hybrid-lb": True, "data-parallel-rpc-port": situation.engine["ports"]["data_parallel_rpc"]}


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
