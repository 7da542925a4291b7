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
    "parallelism.tensor of a role": ("tp", "tensorParallelSize", "tensorParallelism"),
    "parallelism.data of a role": ("dp", "dataParallelSize", "dataParallelism"),
    "parallelism.expert of a role": ("ep", "enableExpertParallel"),
    "parallelism.tensor (the GPUs of a pod follow from it)": ("gpus", "gpuCount"),
    "efa of a role": ("efaPerPod", "efaInterfaces"),
    "resources.shm of a role": ("shmSize", "sharedMemory"),
    "resources.cpu and resources.memory (request and limit are the same)": ("limits", "requests"),
    "args": ("extraArgs", "flags"),
    "env": ("envVars",),
    "spec.model.authSecretName, the name of a Secret": ("hfToken", "token"),
    "spec.model.name": ("modelName",),
    "spec.release, which pins the images": ("image",),
    "spec.release": ("version",),
    "spec.instanceTypes": ("nodeType", "instances"),
    "pod of a role": ("podSpec", "extraConfig", "volumes", "affinity"),
    "pod.containers of a role": ("volumeMounts",),
    "spec.gateway.loadBalancer.annotations": ("annotations",),
    "extends at the top of the document": ("base", "bases", "inherits"),
}


def fix(key: str, at: Route, known: tuple[str, ...]) -> str:
    """The fix of an unknown key. `at` is the mapping's route, `known` its keys."""
    close = nearest(key, known, limit=1)
    if close:
        return f"did you mean {close[0]}?"
    for name, places in _homes().items():
        if _same(name, key):
            return f"write {'it' if name == key else name} under {one_of(places)}"
    other = next((place for place, names in ALSO_CALLED.items() if any(_same(name, key) for name in names)), None)
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
