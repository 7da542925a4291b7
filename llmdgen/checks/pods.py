"""Pods as the API server and the kubelet take them, and that those of a role run vLLM, each flag once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from llmdgen.kube.servers import Engine, Servers
from llmdgen.kube.workload import Workload
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping

_SCALED = ("Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet")
# The validation of Kubernetes' core/v1, which its schema leaves out.
_WORDS: dict[str, tuple[str, ...]] = {
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "protocol": ("TCP", "UDP", "SCTP"),
    "scheme": ("HTTP", "HTTPS"),
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "medium": ("", "Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi"),
    "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
}
_OPERATORS = {
    "tolerations": ("Exists", "Equal"),
    "matchExpressions": ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
    "matchFields": ("In", "NotIn"),
}
_REPEATABLE = frozenset({"--middleware", "--lora-modules", "--override-generation-config"})


@rule("VER036", "error", "a word that Kubernetes does not know")
def words_are_known(workload: Workload) -> Iterator[Draft]:
    """Some fields take one of a few words. The published schema calls them strings, and only the API server refuses
    another one, so that `helmfile apply` fails half way.

    Fails:  `effect: NoScheduled`, `operator: Exist`, `medium: memory`, `imagePullPolicy: Sometimes`.
    Passes: NoSchedule, Exists, Memory, IfNotPresent.
    """
    for path, value, known in _words(workload.spec, workload.in_template("spec"), ""):
        if value not in known:
            fix = f"write one of {', '.join(each for each in known if each)}"
            yield workload.found(*path, says=f"it is {value!r}", fix=fix)


@rule("VER037", "error", "two parts of a pod have one name, or one has none")
def parts_have_names(workload: Workload) -> Iterator[Draft]:
    """The API server refuses a pod template with two containers or two volumes of one name.

    Fails:  two volumes shm.
    Passes: every container and every volume under a name of its own.
    """
    parts: dict[str, list[Any]] = {
        "volumes": [mapping(each).get("name") for each in items(workload.spec.get("volumes"))],
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

    Fails:  a volume triton-cache, and no volumeMounts with that name.
    Passes: every volume is mounted somewhere in its pod.
    """
    mounted = {mount.get("name") for each in workload.containers for mount in each.list_of("volumeMounts")}
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


def _words(
    value: Any, path: tuple[str | int, ...], inside: str
) -> Iterator[tuple[tuple[str | int, ...], Any, tuple[str, ...]]]:
    """Every field of a pod that takes one of a few words, with those."""
    if isinstance(value, dict):
        for key, each in value.items():
            known = _OPERATORS.get(inside, ()) if key == "operator" else _WORDS.get(key, ())
            if known and isinstance(each, str):
                yield (*path, key), each, known
            yield from _words(each, (*path, key), key)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _words(each, (*path, index), inside)


@rule("VER004", "error", "pods of a role do not run vLLM")
def roles_run_vllm(servers: Servers) -> Iterator[Draft]:
    """Most rules look at the pods that run `vllm serve`. Where none is recognised they would all pass and say nothing,
    so that a deployment without model servers, or a role whose container runs something else, is an error itself.

    Fails:  a container that runs `python -m my_server` in pods labelled llm-d.ai/role: decode.
    Passes: `vllm serve` as the command, or in a shell's script.
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

    Fails:  --tensor-parallel-size 2 from `parallelism` and --tensor-parallel-size=4 from `args`.
    Passes: every flag once.
    """
    given = [each for each in vllm.arguments() or () if each.startswith("-")]
    spelled = [each.partition("=")[0].replace("_", "-") for each in given]
    for flag, count in Counter(spelled).items():
        if count > 1 and flag not in _REPEATABLE:
            says = f"{flag} stands {count} times"
            yield vllm.workload.found(*vllm.flag_at(flag.lstrip("-")), says=says, fix=f"set {flag} once")
