"""The rules over a whole rendered directory, one file a topic. Importing this package registers all of them.

| codes | topic |
|---|---|
| VER001-VER009 | the run itself: helmfile, objects, schemas, the lock (`run`, `manifests`, `schemas`, `sealed`) |
| VER014 | what pods refer to |
| VER015-VER018 | names, numbers, secrets, namespaces |
| VER021, VER025 | where the pool and its endpoint picker are asked |
| VER030-VER035, VER104 | labels and selectors |
| VER039-VER044, VER048 | the way of a request |
| VER045-VER047, VER049 | the Network Load Balancer |
| VER111 | what Istio lays over the gateway |
| VER069, VER092 | allocation.yaml, vllm/*.args |
| VER077 | values that the router's chart does not read |
| VER078, VER080, VER087 | the scheduler; its configuration is judged by EPP003 and its neighbours |
| VER098-VER099 | helmfile.yaml |
| VER100-VER102, VER110 | the directory as a whole |

Rules that look at the model servers alone are in `llmdgen.checks`, where a spec's plan is judged by them too.
"""

from __future__ import annotations

from llmdgen.verify.invariants import (
    allocation,
    argument_files,
    deployment,
    directory,
    labels,
    load_balancer,
    overlay,
    pool_ports,
    references,
    routes,
    scheduler,
    settings,
    texts,
)

__all__ = [
    "allocation",
    "argument_files",
    "deployment",
    "directory",
    "labels",
    "load_balancer",
    "overlay",
    "pool_ports",
    "references",
    "routes",
    "scheduler",
    "settings",
    "texts",
]
