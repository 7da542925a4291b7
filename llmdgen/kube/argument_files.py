"""vllm/*.args: everything after `vllm serve` that the pods of a role get, one argument a line."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.kube.command_line import unresolved
from llmdgen.kube.servers import Servers
from llmdgen.kube.workload import Workload

FOLDER = "vllm/"


def argument_files(servers: Servers) -> dict[str, str]:
    """The texts by the names of their files."""
    return {
        name: "".join(f"{argument}\n" for argument in arguments)
        for workload in servers.model_servers
        for name, arguments in arguments_of(workload)
    }


def arguments_of(workload: Workload) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The arguments of a role's pods by file: one file, or the first and the last pod of several."""
    if workload.vllm is None:
        return
    if workload.size == 1:
        yield f"{FOLDER}{workload.role}.args", _written(workload.vllm.arguments())
        return
    for index in (0, workload.size - 1):
        given = {"LWS_WORKER_INDEX": str(index), "LWS_GROUP_SIZE": str(workload.size)}
        yield f"{FOLDER}{workload.role}-node{index}.args", _written(workload.vllm.arguments(given))


def _written(arguments: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(unresolved(each) for each in arguments or ())
