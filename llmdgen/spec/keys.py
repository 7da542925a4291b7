"""What an unknown key was probably meant to be: another spelling, a key of another place, or a vLLM flag."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from llmdgen.findings import Route
from llmdgen.spec.kinds import document_type
from llmdgen.spec.words import dotted
from llmdgen.suggest import nearest, one_of

# What people write who come from vLLM, from the charts or from other generators, and where it is written here.
ALSO_CALLED = {
    "tp": "parallelism.tensor of a role",
    "tensorParallelSize": "parallelism.tensor of a role",
    "tensorParallelism": "parallelism.tensor of a role",
    "dp": "parallelism.data of a role",
    "dataParallelSize": "parallelism.data of a role",
    "dataParallelism": "parallelism.data of a role",
    "ep": "parallelism.expert of a role",
    "enableExpertParallel": "parallelism.expert of a role",
    "gpus": "parallelism.tensor (the GPUs of a pod follow from it)",
    "gpuCount": "parallelism.tensor (the GPUs of a pod follow from it)",
    "efaPerPod": "efa of a role",
    "efaInterfaces": "efa of a role",
    "shmSize": "resources.shm of a role",
    "sharedMemory": "resources.shm of a role",
    "limits": "resources.cpu and resources.memory (request and limit are the same)",
    "requests": "resources.cpu and resources.memory (request and limit are the same)",
    "extraArgs": "args",
    "flags": "args",
    "envVars": "env",
    "hfToken": "spec.model.authSecretName, the name of a Secret",
    "token": "spec.model.authSecretName, the name of a Secret",
    "modelName": "spec.model.name",
    "image": "spec.release, which pins the images",
    "version": "spec.release",
    "nodeType": "spec.instanceTypes",
    "instances": "spec.instanceTypes",
    "podSpec": "pod of a role",
    "extraConfig": "pod of a role",
    "volumes": "pod of a role",
    "volumeMounts": "pod.containers of a role",
    "affinity": "pod of a role",
    "annotations": "spec.gateway.loadBalancer.annotations",
    "base": "extends at the top of the document",
    "bases": "extends at the top of the document",
    "inherits": "extends at the top of the document",
}


def fix(key: str, at: Route, known: tuple[str, ...]) -> str:
    """The fix of an unknown key. `at` is the mapping's route, `known` its keys."""
    close = nearest(key, known, limit=1)
    if close:
        return f"did you mean {close[0]}?"
    for name, places in _homes().items():
        if _same(name, key):
            return f"write {'it' if name == key else name} under {one_of(places)}"
    other = next((place for name, place in ALSO_CALLED.items() if _same(name, key)), None)
    if other:
        return f"write {other}"
    if _is_flag(key):
        under = f"{dotted(at)}.args" if "args" in known else "spec.engine.args, or args of a role"
        return f"this is a vLLM flag, write it under {under}"
    elsewhere = nearest(key, _homes(), limit=1)
    if elsewhere:
        return f"did you mean {elsewhere[0]}, under {one_of(_homes()[elsewhere[0]])}?"
    return f"delete it; known here: {', '.join(known)}"


@cache
def _homes() -> dict[str, tuple[str, ...]]:
    """Where each key of the format may stand, as dotted places."""
    homes: dict[str, tuple[str, ...]] = {}
    for key, place in _keys(document_type(), ()):
        homes[key] = (*homes.get(key, ()), place)
    return homes


def _keys(kind: Any, at: Route) -> Iterator[tuple[str, str]]:
    for each in (kind, *getattr(kind, "types", ())):
        for field in getattr(each, "fields", ()):
            yield field.encode_name, dotted(at) or "the document itself"
            yield from _keys(field.type, (*at, field.encode_name))
    inner = getattr(kind, "type", None) or getattr(kind, "item_type", None)
    if inner is not None:
        yield from _keys(inner, at)


def _is_flag(key: str) -> bool:
    """Whether any release's vLLM knows the flag."""
    from llmdgen.facts import catalogue

    name = key.strip("-").replace("_", "-")
    releases = catalogue.release_names()
    return any(name in catalogue.release_json(release, "vllm-serve.json")["flags"] for release in releases)


def _same(name: str, key: str) -> bool:
    return name.lower().replace("-", "") == key.lower().replace("-", "").replace("_", "")


def means(key: str, name: str, known: tuple[str, ...]) -> bool:
    """Whether an unknown key is that name misspelt, so that its absence is not worth a second finding."""
    return nearest(key, known, limit=1) == (name,)
