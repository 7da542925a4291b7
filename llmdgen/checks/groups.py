"""LeaderWorkerSets: model servers that span several pods."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.kube.node import demand
from llmdgen.kube.servers import Engine, Servers
from llmdgen.kube.workload import Workload
from llmdgen.registry import Draft, rule


@rule("VER095", "error", "a group's pods and vLLM's ranks do not add up")
def group_size_matches_the_ranks(vllm: Engine) -> Iterator[Draft]:
    """The data parallel ranks of all pods of a group must be --data-parallel-size: with fewer pods the group waits for
    ranks that never come, with more two pods claim one rank.

    Fails:  size 2 with --data-parallel-size 32 and --data-parallel-size-local 8.
    Passes: size 2, 16 ranks, 8 in each pod.
    """
    if vllm.workload.manifest.kind != "LeaderWorkerSet":
        return
    total = vllm.size("data-parallel-size", 1)
    local = vllm.size("data-parallel-size-local", total)
    if local * vllm.workload.size != total:
        says = f"{vllm.workload.size} pods x {local} ranks are not the {total} of --data-parallel-size"
        fix = f"set workers to {total // local if local else total}"
        yield vllm.workload.found("spec", "leaderWorkerTemplate", "size", says=says, fix=fix)


@rule("VER096", "error", "the pods of a group start at the same rank, or without the leader's address")
def group_pods_know_their_place(vllm: Engine) -> Iterator[Draft]:
    """Every pod of a group runs the same template. What tells them apart is LWS_WORKER_INDEX, from which the first rank
    comes, and LWS_LEADER_ADDRESS, at which they meet.

    Fails:  a group of 2 without --data-parallel-start-rank or --data-parallel-address.
    Passes: --data-parallel-start-rank=$((LWS_WORKER_INDEX * DP_SIZE_LOCAL))
            --data-parallel-address=$LWS_LEADER_ADDRESS.
    """
    size = vllm.workload.size
    if size == 1 or vllm.workload.is_leader:
        return
    first, last = (vllm.arguments_at(index) for index in (0, size - 1))
    if first == last:
        fix = "take --data-parallel-start-rank from LWS_WORKER_INDEX"
        yield vllm.found("args", says="every pod of the group gets the same arguments", fix=fix)
    if not any("LWS_LEADER_ADDRESS" in argument for argument in first):
        fix = "set --data-parallel-address to LWS_LEADER_ADDRESS"
        yield vllm.found("args", says="no argument has the leader's address", fix=fix)


@rule("VER097", "error", "leader and workers of a group differ")
def leader_and_workers_agree(servers: Servers) -> Iterator[Draft]:
    """Where a LeaderWorkerSet has a template for its leader, that pod is one of the ranks: it needs the GPUs, the EFA
    interfaces and the environment of the others.

    Fails:  EFA interfaces in the worker template only.
    Passes: no leader template, or one with the same resources, image and environment.
    """
    for leader in servers.workloads:
        if not leader.is_leader:
            continue
        for worker in servers.workloads:
            if worker.manifest is not leader.manifest or worker.is_leader:
                continue
            for what in _differences(leader, worker):
                says = f"the leader's {what} differ from the workers'"
                yield leader.found(*leader.route, says=says, fix=f"give both templates the same {what}")


def _differences(leader: Workload, worker: Workload) -> Iterator[str]:
    if demand(leader) != demand(worker):
        yield "resources"
    if leader.vllm is not None and worker.vllm is not None:
        if leader.vllm.list_of("env") != worker.vllm.list_of("env"):
            yield "environment variables"
        if leader.vllm.image != worker.vllm.image:
            yield "images"
    if leader.node_selector != worker.node_selector:
        yield "nodes"
