"""The rules over rendered manifests, one file a topic. Importing this package registers all of them.

| codes | topic |
|---|---|
| VER001-VER009 | the run itself: helmfile, objects, schemas, the lock (`run`, `manifests`, `schemas`, `sealed`) |
| VER010-VER014 | containers |
| VER015-VER018 | names, numbers, secrets, namespaces |
| VER020-VER028 | ports, probes, the flags of sidecar and scheduler |
| VER030-VER035 | labels and selectors |
| VER036-VER038, VER056 | pods as Kubernetes takes them |
| VER039-VER044, VER048 | the way of a request |
| VER045-VER047, VER049 | the Network Load Balancer |
| VER050-VER051 | images |
| VER052-VER055 | shared memory, volumes, caches |
| VER057-VER059, VER070-VER076 | the KV transfer, and the transport below it |
| VER060-VER069 | resources, nodes, allocation.yaml |
| VER077 | values that the router's chart does not read |
| VER019, VER078, VER080-VER089 | the scheduler's configuration |
| VER090-VER094 | vLLM's arguments and environment |
| VER095-VER097 | LeaderWorkerSets |
| VER098-VER099 | helmfile.yaml |
| VER100-VER102, VER110 | the directory as a whole |
| VER103-VER107 | what pods are made of |
| VER108 | amounts of resources |
"""

from __future__ import annotations

from llmdgen.verify.invariants import (
    allocation,
    amounts,
    containers,
    contents,
    deployment,
    directory,
    engine,
    groups,
    images,
    labels,
    load_balancer,
    pods,
    ports,
    probes,
    profiles,
    resources,
    routes,
    scheduler,
    settings,
    storage,
    texts,
    transfer,
)

__all__ = [
    "allocation",
    "amounts",
    "containers",
    "contents",
    "deployment",
    "directory",
    "engine",
    "groups",
    "images",
    "labels",
    "load_balancer",
    "pods",
    "ports",
    "probes",
    "profiles",
    "resources",
    "routes",
    "scheduler",
    "settings",
    "storage",
    "texts",
    "transfer",
]
