"""The pods are those that the charts of upstream made, up to differences that stand here with their reasons.

`before/<case>/pods.yaml` holds each role's PodSpec as llm-d-modelservice v0.4.7 or v0.4.9 made it of the values that
llmdgen wrote for `spec.yaml`. Who changes pods on purpose adds the difference to the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from llmdgen import api
from llmdgen.kube.servers import Servers
from llmdgen.objects import objects
from llmdgen.objects.chart import servers_of
from llmdgen.plain_yaml import load

BEFORE = Path(__file__).parent / "before"
CASES = sorted(folder.name for folder in BEFORE.iterdir())
NOTHING = "nothing"
KEYS = ("name", "mountPath", "topologyKey")  # what tells the entries of a list apart


class Intended(Struct, frozen=True):
    """A difference that is meant: where, from what to what (all fnmatch), and why."""

    at: str
    before: str
    now: str
    why: str


VLLM = "*.spec.containers.vllm"
SIDECAR = "decode.spec.initContainers.routing-proxy"
ONE_VOLUME = "one volume holds every cache of engine and compilers, each below a directory that a variable names"
UNREAD = "the chart set it, and neither vLLM nor the start script reads it"
DRAIN = "answers go on once a pod is asked to end; before they were cut"
SLOT = "each pod takes a slot of the node's disk under a lock: files went under a running engine before"
NAMES = "objects are called after the deployment, not after a chart's release"
WRITTEN = "the chart leaves a default unsaid, or writes an empty value"
PACKED = "small pods on every node left no room for larger ones"
INTENDED = (
    Intended("*.spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution", NOTHING, "*", PACKED),
    Intended("*.spec.topologySpreadConstraints", NOTHING, "*", PACKED),
    *(Intended(f"{VLLM}.env.{name}", "*", NOTHING, UNREAD) for name in ("DP_SIZE", "TP_SIZE", "DP_SIZE_LOCAL")),
    Intended("*.spec.serviceAccountName", "ms-*-llm-d-modelservice", "*", NAMES),
    Intended("decode.spec.containers.vllm.args.--kv-events-config", "*//gaie-*-epp.*", "*//*-router-epp.*", NAMES),
    Intended(f"{SIDECAR}.ports", "*8000*", "*sidecar*8000*TCP*", WRITTEN),
    Intended(f"{SIDECAR}.env", "None", NOTHING, WRITTEN),
    Intended(
        f"{SIDECAR}.resources*",
        "*",
        "*'cpu': '100m', 'memory': '128Mi'*",
        "a container that requests nothing is the first to be killed and the last to be run",
    ),
    Intended(f"{SIDECAR}.args.--zap-encoder", NOTHING, "--zap-encoder=json", "the sidecar logs as the scheduler does"),
    Intended("*.spec.volumes.caches", NOTHING, "{'emptyDir': {}}", ONE_VOLUME),
    Intended(f"{VLLM}.volumeMounts.caches", NOTHING, "{'mountPath': '/caches'}", ONE_VOLUME),
    *(
        Intended(f"*.{place}.{name}", "*", NOTHING, ONE_VOLUME)
        for name in ("metrics-volume", "torch-compile-cache", "triton-cache")
        for place in ("spec.volumes", "spec.containers.vllm.volumeMounts")
    ),
    Intended(f"{VLLM}.env.CCACHE_DIR", "*", NOTHING, "nothing in the image compiles through ccache"),
    *(
        Intended(f"{VLLM}.env.{name}*", "*", "*/caches/*", ONE_VOLUME)
        for name in ("CUDA_CACHE_PATH", "FLASHINFER_WORKSPACE_BASE", "TRITON_CACHE_DIR", "VLLM_CACHE_ROOT", "HF_HOME")
    ),
    Intended(f"{VLLM}.env.TRITON_LIBCUDA_PATH", NOTHING, "*/usr/lib64*", "Triton finds the driver on every path"),
    *(
        Intended(
            f"{VLLM}.securityContext.{field}",
            NOTHING,
            "0",
            "a capability reaches only root, and EFA registers memory that must not be swapped",
        )
        for field in ("runAsUser", "runAsGroup")
    ),
    Intended("*.spec.terminationGracePeriodSeconds", NOTHING, "150", DRAIN),
    Intended(
        f"{VLLM}.resources.requests.ephemeral-storage",
        NOTHING,
        "*Gi",
        "a node without room for the weights evicted the pod half way through its download",
    ),
    Intended(f"{VLLM}.lifecycle", NOTHING, "*'sleep', '120'*", DRAIN),
    Intended(f"{VLLM}.lifecycle.preStop.exec.command", "*'find', '/mnt/kv-disk'*", "*'sleep', '120'*", SLOT),
    Intended(
        f"{VLLM}.env.VLLM_HTTP_TIMEOUT_KEEP_ALIVE",
        NOTHING,
        "*'120'*",
        "sidecars and gateways keep connections for 90 seconds and more, and vLLM closed them after 5",
    ),
    Intended(
        f"{VLLM}.env.VLLM_ENGINE_READY_TIMEOUT_S",
        NOTHING,
        "*",
        "front ends of several engines gave up after ten minutes, and the group began anew",
    ),
    Intended("*.spec.initContainers.kv-cache-directories.env", "*POD_NAME*", NOTHING, SLOT),
    Intended(
        "*.spec.initContainers.kv-cache-directories.command",
        "*'install'*",
        "*mkdir -p*",
        "an EFS access point refuses chown, and the pod never started",
    ),
    Intended(f"{VLLM}.volumeMounts.kv-disk.subPathExpr", "$(POD_NAME)", "*", SLOT),
    Intended(f"{VLLM}.env.POD_NAME", "*", NOTHING, SLOT),
    Intended(f"{VLLM}.env.LMCACHE_LOCAL_DISK.value", "file:///mnt/kv-disk/", "file:///tmp/kv-disk/", SLOT),
    Intended(f"{VLLM}.command", "*'vllm', 'serve'*", "*bash*", SLOT),
    Intended(f"{VLLM}.args.Qwen/Qwen3-32B", "*", "*flock*", SLOT),
)


class Difference(Struct, frozen=True):
    at: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.at}: {self.before!r} became {self.now!r}"

    def is_meant_by(self, each: Intended) -> bool:
        pairs = ((self.at, each.at), (str(self.before), each.before), (str(self.now), each.now))
        return all(fnmatchcase(said, pattern) for said, pattern in pairs)


def servers(case: str) -> Servers:
    spec = api.load(BEFORE / case / "spec.yaml")
    plan = api.draft(spec, api.targets(spec)[0])
    return servers_of(plan, objects(plan))


def pods_now(case: str) -> dict[str, Any]:
    """What llmdgen makes of a case, in the form of pods.yaml."""
    return {
        each.role: {
            "kind": each.manifest.kind,
            "replicas": each.replicas,
            **({"size": each.size} if each.manifest.kind == "LeaderWorkerSet" else {}),
            "labels": each.labels,
            "spec": each.spec,
        }
        for each in servers(case).model_servers
    }


def named(value: Any) -> Any:
    """The value with every list of named entries as a mapping: their order means nothing to Kubernetes."""
    if isinstance(value, dict):
        return {key: named(each) for key, each in value.items()}
    if isinstance(value, list):
        for key in KEYS:
            if value and all(isinstance(each, dict) and key in each for each in value):
                names = [each[key] for each in value]
                if len(set(names)) == len(names):
                    return {each[key]: named({k: v for k, v in each.items() if k != key}) for each in value}
        return [named(each) for each in value]
    return value


def differences(before: Any, now: Any, at: str = "") -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}, key=str):
            yield from differences(before.get(key, NOTHING), now.get(key, NOTHING), f"{at}.{key}" if at else str(key))
    elif at.endswith(".args") and isinstance(before, list) and isinstance(now, list):
        yield from _words(_lines(before), _lines(now), at)
    elif before != now:
        yield Difference(at, before, now)


def _lines(words: list[str]) -> list[str]:
    """The words of a command; of a script its lines."""
    return [line for word in words for line in word.splitlines()]


def _words(before: list[str], now: list[str], at: str) -> Iterator[Difference]:
    """Each run of words that changed, at the flag with which it begins."""
    for tag, first, last, new_first, new_last in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if tag != "equal":
            old, new = before[first:last], now[new_first:new_last]
            flag = [*old, *new][0].partition("=")[0]
            yield Difference(f"{at}.{flag}", " ".join(old) or NOTHING, " ".join(new) or NOTHING)


def found(case: str) -> list[Difference]:
    before = load((BEFORE / case / "pods.yaml").read_text("utf-8"))
    return list(differences(named(before), named(pods_now(case))))


@pytest.mark.parametrize("case", CASES)
def test_pods_stay_what_they_were(case: str) -> None:
    assert [str(each) for each in found(case) if not any(map(each.is_meant_by, INTENDED))] == []


def test_every_intended_difference_is_one() -> None:
    everything = [each for case in CASES for each in found(case)]
    assert [one for one in INTENDED if not any(each.is_meant_by(one) for each in everything)] == []


def test_a_pod_that_differs_is_noticed() -> None:
    before = {"decode": {"spec": {"containers": [{"name": "vllm", "args": ["a", "--b=1"], "env": [], "image": "x"}]}}}
    now = {"decode": {"spec": {"containers": [{"name": "vllm", "args": ["a", "--b=2", "c"], "env": [], "image": "y"}]}}}
    assert [str(each) for each in differences(named(before), named(now))] == [
        "decode.spec.containers.vllm.args.--b: '--b=1' became '--b=2 c'",
        "decode.spec.containers.vllm.image: 'x' became 'y'",
    ]
