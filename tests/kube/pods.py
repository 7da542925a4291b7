"""PodSpecs and patches of them, made from a source of random numbers."""

from __future__ import annotations

from random import Random
from typing import Any

NAMES = ("vllm", "sidecar", "wait", "probe")
VARIABLES = ("A", "B", "C", "D")
SOURCES = ("emptyDir", "hostPath", "configMap")


def pod(random: Random) -> dict[str, Any]:
    """A PodSpec that the API server could hold: no nulls, no directives."""
    return {key: make(random) for key, make in _FIELDS.items() if random.random() < 0.7}


def patch(random: Random, base: dict[str, Any]) -> dict[str, Any]:
    """A part of a PodSpec with nulls, and with directives about what the base has."""
    return _steered(random, pod(random), base)


def _steered(random: Random, value: dict[str, Any], base: Any, fixed: tuple[str, ...] = ()) -> dict[str, Any]:
    """The map with some keys deleted, maps replaced or deleted, and items of merged lists deleted."""
    base = base if isinstance(base, dict) else {}
    for key, each in list(value.items()):
        chance = random.random()
        if key in fixed:
            continue
        if chance < 0.12:
            value[key] = None
        elif isinstance(each, dict):
            value[key] = _map(random, each, base.get(key))
        elif isinstance(each, list) and key in _MERGED:
            value[key] = _items(random, each, base.get(key) or [], _MERGED[key])
    return value


def _map(random: Random, value: dict[str, Any], base: Any) -> dict[str, Any]:
    chance = random.random() if base else 1
    if chance < 0.1:
        return {"$patch": "delete"}
    if chance < 0.2:
        return {"$patch": "replace", **value}
    if chance < 0.3:
        return {"$retainKeys": list(value), **value}
    return _steered(random, value, base)


def _items(random: Random, items: list[Any], base: list[Any], key: str) -> list[Any]:
    replaces = bool(base) and random.random() < 0.1
    made = [{"$patch": "replace"}] if replaces else []
    for each in items:
        own = next((item for item in base if item[key] == each[key] and not replaces), None)
        deleted = own is not None and random.random() < 0.15
        made.append({"$patch": "delete", key: each[key]} if deleted else _steered(random, each, own, (key,)))
    return made


def _some(random: Random, names: tuple[str, ...]) -> list[str]:
    return random.sample(names, random.randint(1, len(names)))


def _container(random: Random, name: str) -> dict[str, Any]:
    fields = {
        "image": f"registry/{name}:{random.randint(1, 3)}",
        "args": [str(random.randint(1, 9)) for _ in range(random.randint(0, 3))],
        "env": [{"name": each, "value": str(random.randint(1, 9))} for each in _some(random, VARIABLES)],
        "ports": [{"containerPort": each, "name": f"p{each}"} for each in random.sample((8000, 8200, 9090), 2)],
        "volumeMounts": [{"mountPath": f"/{each}", "name": each} for each in _some(random, ("shm", "cache", "model"))],
        "resources": {"limits": {"cpu": str(random.randint(1, 9)), "memory": "1Gi"}, "requests": {"cpu": "1"}},
        "securityContext": {"capabilities": {"add": ["IPC_LOCK"], "drop": ["ALL"]}, "runAsUser": random.randint(0, 9)},
        "readinessProbe": {"httpGet": {"path": "/health", "port": random.choice((8000, "vllm"))}, "periodSeconds": 5},
    }
    return {"name": name, **{key: value for key, value in fields.items() if random.random() < 0.5}}


def _volume(random: Random, name: str) -> dict[str, Any]:
    sources = {"emptyDir": {"medium": "Memory"}, "hostPath": {"path": f"/mnt/{name}"}, "configMap": {"name": name}}
    source = random.choice(SOURCES)
    return {"name": name, source: sources[source]}


def _labels(random: Random) -> dict[str, str]:
    return {each: str(random.randint(1, 3)) for each in _some(random, ("zone", "team", "type"))}


_MERGED = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "imagePullSecrets": "name",
    "topologySpreadConstraints": "topologyKey",
}
_FIELDS = {
    "containers": lambda random: [_container(random, each) for each in _some(random, NAMES)],
    "initContainers": lambda random: [_container(random, each) for each in _some(random, NAMES)],
    "volumes": lambda random: [_volume(random, each) for each in _some(random, ("shm", "cache", "model"))],
    "imagePullSecrets": lambda random: [{"name": each} for each in _some(random, ("ecr", "ghcr"))],
    "tolerations": lambda random: [{"key": each, "operator": "Exists"} for each in _some(random, ("gpu", "spot"))],
    "nodeSelector": _labels,
    "terminationGracePeriodSeconds": lambda random: random.randint(1, 600),
    "affinity": lambda random: {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]
            }
        }
    },
    "topologySpreadConstraints": lambda random: [
        {"topologyKey": each, "maxSkew": random.randint(1, 3), "whenUnsatisfiable": "DoNotSchedule"}
        for each in _some(random, ("zone", "host"))
    ],
}
