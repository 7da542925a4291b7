"""How vLLM is started: by the chart's `vllm serve` on one pod, by llmdgen's own script on several.

The modelservice chart writes model, port, sizes and served name itself for `modelCommand: vllmServe`; what llmdgen adds
comes after them. For a role of several pods the command is ours, with the rank and the leader's address that
LeaderWorkerSet gives each pod.
"""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import RoleName, Situation
from llmdgen.engine.size import Size

LEADER_ADDRESS = "${LWS_LEADER_ADDRESS}"


def multinode_flags(size: Size, situation: Situation) -> dict[str, Any]:
    """Flags of a replica that spans pods: each pod balances over its own ranks, the scheduler over the pods."""
    if size.workers == 1:
        return {}
    return {"data-parallel-hybrid-lb": True, "data-parallel-rpc-port": situation.engine["ports"]["data_parallel_rpc"]}


def head(model: str, served_name: str, port: int, size: Size) -> tuple[str, ...]:
    """What comes before llmdgen's own arguments: exactly what the chart writes for `vllm serve`."""
    found = [model, "--port", str(port)]
    if size.tensor > 1:
        found += ["--tensor-parallel-size", str(size.tensor)]
    if size.data > 1:
        found += ["--data-parallel-size", str(size.data)]
    if size.data_local > 1:
        found += ["--data-parallel-size-local", str(size.data_local)]
    return (*found, "--served-model-name", served_name)


def rank_arguments(start_rank: int) -> tuple[str, ...]:
    """What differs between the pods of one replica."""
    return (f"--data-parallel-address={LEADER_ADDRESS}", f"--data-parallel-start-rank={start_rank}")


def argv(
    role: RoleName,
    size: Size,
    model: str,
    served_name: str,
    port: int,
    arguments: tuple[str, ...],
    situation: Situation,
) -> dict[str, tuple[str, ...]]:
    """Everything after `vllm serve`, by file name: one file a role, or the first and the last pod of several."""
    first = head(model, served_name, port, size)
    if size.workers == 1:
        return {role: (*first, *arguments)}
    return {
        f"{role}-node{index}": (*first, *rank_arguments(index * size.data_local), *arguments)
        for index in (0, size.workers - 1)
    }
