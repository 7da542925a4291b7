"""Model servers of a plan with a fault in their objects, and what the rules say of them where no plan is known."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from msgspec import structs

from llmdgen import registry
from llmdgen.checks import load_plan_checks
from llmdgen.checks.engine import rendered_findings
from llmdgen.findings import Finding
from llmdgen.kube.servers import Servers
from llmdgen.objects import objects
from llmdgen.objects.chart import servers_of
from llmdgen.planning.model import Plan

Docs = dict[str, dict[str, Any]]
Change = Callable[[Docs], None]


def broken(plan: Plan, change: Change) -> Servers:
    """The model servers after `change` was made to their objects, given by `Kind/name`."""
    made = [structs.replace(each, doc=deepcopy(each.doc)) for each in objects(plan)]
    change({str(each): each.doc for each in made})
    return servers_of(plan, made)


def found(plan: Plan, change: Change) -> list[Finding]:
    """What `verify` would find in them."""
    load_plan_checks()
    servers = broken(plan, change)
    return [*registry.run(servers), *rendered_findings(servers)]


def codes(plan: Plan, change: Change) -> set[str]:
    """The codes of what is found."""
    return {each.code for each in found(plan, change)}


def vllm(docs: Docs, name: str) -> dict[str, Any]:
    """The model server's container of a workload."""
    spec = docs[name]["spec"]
    template = spec.get("template") or spec["leaderWorkerTemplate"]["workerTemplate"]
    container: dict[str, Any] = template["spec"]["containers"][0]
    return container


def asks(name: str, **amounts: str) -> Change:
    """The workload's container asks for these amounts; _ stands for / and - in the names of resources."""

    def change(docs: Docs) -> None:
        for side in ("limits", "requests"):
            vllm(docs, name)["resources"][side] |= amounts

    return change
