"""Pods as the API server and the kubelet take them; that those of a role run vLLM, and those of a group together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

from llmdgen.facts.catalogue import table
from llmdgen.kube.node import demand
from llmdgen.kube.servers import Engine, Servers
from llmdgen.kube.workload import Workload
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping, nodes

_SCALED = ("Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet")
_REPEATABLE = frozenset({"--middleware", "--lora-modules", "--override-generation-config"})


@rule("VER036", "error", "a word that Kubernetes does not know")
def words_are_known(workload: Workload) -> Iterator[Draft]:
    """Some fields take one of a few words. The published schema calls them strings, and only the API server refuses
    another one, so that `helmfile apply` fails half way.

    Fails:  `{decode: {pod: {containers: [{name: vllm, imagePullPolicy: Sometimes}]}}}`.
    Passes: `{decode: {pod: {containers: [{name: vllm, imagePullPolicy: Always}]}}}`.
    """
    words = table("kubernetes/words.toml")
    for route, value in nodes(workload.spec):
        lists = [words["operators"][each] for each in route[-3:-1] if each in words["operators"]]
        known = lists[0] if lists and route[-1] == "operator" else words["fields"].get(route[-1], ())
        if known and isinstance(value, str) and value not in known:
            fix = f"write one of {', '.join(each for each in known if each)}"
            yield workload.found(*workload.in_template("spec", *route), says=f"it is {value!r}", fix=fix)


@rule("VER037", "error", "two parts of a pod have one name, or one has none")
def parts_have_names(workload: Workload) -> Iterator[Draft]:
    """The API server refuses a pod template with two containers or two volumes of one name.

    Fails:  `{path: pd-disaggregation, decode: {pod: {containers: [{name: routing-proxy, image:
            "example.com/log:v1"}]}}}`.
    Passes: `{path: pd-disaggregation, decode: {pod: {containers: [{name: log, image: "example.com/log:v1"}]}}}`.
    """
    parts: dict[str, list[str]] = {
        "volumes": [str(mapping(each).get("name") or "") for each in items(workload.spec.get("volumes"))],
        "containers": [each.name for each in workload.containers],
    }
    for what, names in parts.items():
        for name, count in Counter(names).items():
            if count > 1 or not name:
                says = f"{count} of its {what} are called {name}" if name else f"one of its {what} has no name"
                place = workload.in_template("spec", what)
                yield workload.found(*place, says=says, fix="give each a name of its own")


@rule("VER038", "warning", "a volume that no container mounts")
def volumes_are_mounted(workload: Workload) -> Iterator[Draft]:
    """A volume is there for a path that some container writes to or reads. Without the mount the container uses its own
    file system instead: slower, small, gone with the container, and for a user other than root often not writable.

    Fails:  `{decode: {pod: {volumes: [{name: logs, emptyDir: {}}]}}}`.
    Passes: `{decode: {pod: {volumes: [{name: logs, emptyDir: {}}], containers: [{name: vllm, volumeMounts: [{name:
            logs, mountPath: /logs}]}]}}}`.
    """
    mounted = [mount.get("name") for each in workload.containers for mount in each.list_of("volumeMounts")]
    for index, volume in enumerate(map(mapping, items(workload.spec.get("volumes")))):
        if volume.get("name") not in mounted:
            says = f"no container mounts {volume.get('name')}"
            fix = "mount it, or remove it"
            yield workload.found(*workload.in_template("spec", "volumes", index), says=says, fix=fix)


@rule("VER105", "error", "nobody is there to answer")
def somebody_is_there(servers: Servers) -> Iterator[Draft]:
    """A workload with no replicas is installed without an error and answers nothing: without its scheduler a pool
    schedules no request, and without model servers there is nothing to schedule on.

    Fails:  replicas: 0 of the scheduler.
    Passes: one replica or more, or none written where an autoscaler sets them.
    """
    for manifest in servers.manifests:
        if manifest.kind in _SCALED and at(manifest.doc, "spec", "replicas") == 0:
            yield found("spec", "replicas", says="it is 0", fix="set it to 1 or more", of=manifest)


@rule("VER004", "error", "pods of a role do not run vLLM")
def roles_run_vllm(servers: Servers) -> Iterator[Draft]:
    """Most rules look at the pods that run `vllm serve`. Where none is recognised they would all pass and say nothing,
    so that a deployment without model servers, or a role whose container runs something else, is an error itself.

    Fails:  `{decode: {pod: {containers: [{name: vllm, command: [python], args: [-m, my_server]}]}}}`.
    Passes: `{decode: {pod: {containers: [{name: vllm, command: [vllm, serve]}]}}}`.
    """
    if not servers.model_servers:
        yield found(says="no pod of any release runs vllm serve", fix="render again", of="helmfile.yaml")
    for workload in servers.workloads:
        if workload.role and workload.vllm is None:
            says = f"the {workload.role} pods have no container that runs vllm serve"
            fix = "start vLLM by `vllm serve`, or by a script that runs it"
            yield workload.found(*workload.in_template("spec", "containers"), says=says, fix=fix)


@rule("VER091", "error", "a flag stands twice")
def flags_are_given_once(vllm: Engine) -> Iterator[Draft]:
    """vLLM keeps the last of two equal flags. llmdgen already writes --port, --served-model-name and the parallel
    sizes, so that a second one means that two places disagree.

    Fails:  `{decode: {pod: {containers: [{name: vllm, args: [Qwen/Qwen3-32B, --port=8000,
            --served-model-name=Qwen/Qwen3-32B, --seed=1, --seed=2]}]}}}`.
    Passes: `{decode: {args: {seed: 1}}}`.
    """
    given = [each for each in vllm.arguments() or () if each.startswith("-")]
    spelled = [each.partition("=")[0].replace("_", "-") for each in given]
    for flag, count in Counter(spelled).items():
        if count > 1 and flag not in _REPEATABLE:
            says = f"{flag} stands {count} times"
            yield vllm.workload.found(*vllm.flag_at(flag.lstrip("-")), says=says, fix=f"set {flag} once")


@rule("VER095", "error", "a group's pods and vLLM's ranks do not add up")
def group_size_matches_the_ranks(vllm: Engine) -> Iterator[Draft]:
    """The data parallel ranks of all pods of a group must be --data-parallel-size: with fewer pods the group waits for
    ranks that never come, with more two pods claim one rank.

    Fails:  `{path: wide-ep, decode: {pod: {containers: [{name: vllm, command: [vllm, serve], args:
            [deepseek-ai/DeepSeek-R1-0528, --data-parallel-size=64, --data-parallel-size-local=8]}]}}}`: two or four
            pods of 8 are not 64.
    Passes: `{path: wide-ep}`.
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

    Fails:  `{path: wide-ep, decode: {pod: {containers: [{name: vllm, command: [vllm, serve], args:
            [deepseek-ai/DeepSeek-R1-0528, --data-parallel-size=32, --data-parallel-size-local=8]}]}}}`, without
            --data-parallel-start-rank and --data-parallel-address.
    Passes: `{path: wide-ep}`.
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
    for leader, worker in product(servers.workloads, servers.workloads):
        if worker.manifest is not leader.manifest or not leader.is_leader or worker.is_leader:
            continue
        alike = {"resources": demand(leader) == demand(worker)}
        alike["nodes"] = leader.node_selector == worker.node_selector
        if leader.vllm is not None and worker.vllm is not None:
            alike["environment variables"] = leader.vllm.list_of("env") == worker.vllm.list_of("env")
            alike["images"] = leader.vllm.image == worker.vllm.image
        for what in (name for name, is_alike in alike.items() if not is_alike):
            says = f"the leader's {what} differ from the workers'"
            yield leader.found(*leader.route, says=says, fix=f"give both templates the same {what}")
