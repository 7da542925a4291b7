"""The rules over rendered manifests, one file a topic. Importing this package registers all of them.

| codes | topic |
|---|---|
| VER001-VER007 | the run itself: helmfile, objects, schemas (`llmdgen.verify.run`, `manifests`, `schemas`) |
| VER010-VER014 | containers |
| VER015-VER018 | names, numbers, secrets, namespaces |
| VER020-VER023 | ports |
| VER030-VER035 | labels and selectors |
| VER040-VER044 | the way of a request |
| VER045-VER047 | the Network Load Balancer |
| VER050-VER051 | images |
| VER060-VER068 | resources and nodes |
| VER070-VER076 | the KV transfer |
| VER080-VER087 | the scheduler's configuration |
| VER090-VER093 | vLLM's arguments |
| VER095-VER097 | LeaderWorkerSets |
| VER098-VER099 | helmfile.yaml |
"""

from __future__ import annotations

from llmdgen.verify.invariants import (
    containers,
    deployment,
    engine,
    groups,
    images,
    labels,
    load_balancer,
    ports,
    resources,
    routes,
    scheduler,
    texts,
    transfer,
)

__all__ = [
    "containers",
    "deployment",
    "engine",
    "groups",
    "images",
    "labels",
    "load_balancer",
    "ports",
    "resources",
    "routes",
    "scheduler",
    "texts",
    "transfer",
]
