"""Amounts of cpu, memory and devices as the API server takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.kube.servers import Servers
from llmdgen.quantities import to_bytes, to_millis
from llmdgen.registry import Draft, rule
from llmdgen.untyped import at, mapping

_KEYS = ("limits", "requests", "claims")
_PLAIN = ("cpu", "memory", "ephemeral-storage")
_EXTENDED = re.compile(r"hugepages-\w+|[a-z0-9.-]+/[A-Za-z0-9_.-]+")


@rule("VER108", "error", "a container's resources are none that Kubernetes takes")
def resources_are_taken(servers: Servers) -> Iterator[Draft]:
    """The API server refuses a resource without a domain that it does not know, and a request above the limit.

    Fails:  `cpus: "16"` under limits; requests of 8 cpu under a limit of 4; `limit:` instead of limits.
    Passes: cpu, memory, ephemeral-storage, and names with a domain.
    """
    for workload in servers.workloads:
        for container in workload.containers:
            place = (*container.route, "resources")
            for path, says, fix in wrong_amounts(container.doc.get("resources")):
                yield workload.found(*place, *path, says=says, fix=fix)


def wrong_amounts(resources: Any) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What is wrong with the resources of a container, and where in them."""
    given = mapping(resources)
    for key in given:
        if key not in _KEYS:
            yield (str(key),), "Kubernetes has no such field", f"write one of {', '.join(_KEYS)}"
    for side in ("limits", "requests"):
        for name in mapping(given.get(side)):
            if name not in _PLAIN and not _EXTENDED.fullmatch(str(name)):
                fix = f"write one of {', '.join(_PLAIN)}, or a name with its domain"
                yield (side, str(name)), "Kubernetes has no such resource", fix
    for name, number in (("cpu", to_millis), ("memory", to_bytes)):
        limit, request = at(given, "limits", name), at(given, "requests", name)
        try:
            over = None not in (limit, request) and number(str(request)) > number(str(limit))
        except ValueError:
            continue  # the schema's own business
        if over:
            says = f"{request} is requested under a limit of {limit}"
            yield ("requests", name), says, "request at most the limit"
