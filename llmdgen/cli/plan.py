"""`llmdgen plan`: what a spec takes of a cluster, without writing anything."""

from __future__ import annotations

from typing import Any

import click

from llmdgen.cli import options, status, work
from llmdgen.cli.terminal import columns, print_json, say, visible
from llmdgen.planning.model import Plan
from llmdgen.rendering.allocation import allocation
from llmdgen.rendering.merged import merged
from llmdgen.rendering.topology import topology

TOTAL = ("INSTANCE TYPE", "ZONE", "SPECS", "NODES", "GPUS", "EFA")


@click.command(epilog="Exit codes: 0 done, 1 an error, 64 wrong usage.")
@options.SPEC_FILES
@options.INSTANCE_TYPES
@options.form("table", "json", "svg", "yaml", text="yaml: the spec with what it extends, and each value's place.")
def command(specs: tuple[str, ...], instance_types: tuple[str, ...], form: str) -> int:
    """Show topology, placement and capacity of specs on each of their instance types, and what all take together."""
    if form == "yaml":
        # Whatever the checks say of the specs: they are what a finding is about.
        click.echo(visible("---\n".join(map(merged, work.read(specs)[0]))), nl=False)
    plans = work.sound_plans(specs, instance_types)
    if form == "svg":
        if len(plans) != 1:
            raise click.UsageError("one drawing shows one spec on one instance type: choose it with --instance-type")
        click.echo(topology(plans[0]), nl=False)
    elif form in ("json", "table"):
        taken = list(map(allocation, plans))
        if form == "json":
            print_json(taken)
        else:
            tables = list(map(_table, plans, taken))
            if len({plan.spec.name for plan in plans}) > 1:
                tables.append(_together(plans, taken))
            say("\n\n".join(tables))
    return status.OK


def _table(plan: Plan, taken: dict[str, Any]) -> str:
    """A plan for a terminal: a line of its own for each role, and for the nodes that the roles share."""
    title = f"{plan.spec.name} on {plan.target}: {' + '.join(plan.paths)}, llm-d {plan.release.name}"
    heads = ("ROLE", "REPLICAS", "PODS", "TP", "DP", "GPUS/POD", "EFA/POD", "CPU/POD", "MEMORY/POD", "PODS/NODE")
    roles = columns((_role(name, role) for name, role in taken["roles"].items()), (*heads, "KV TOKENS/RANK"))
    nodes = columns(
        ((node["instanceType"], *_devices([node]), ", ".join(node["roles"])) for node in taken["nodes"]),
        ("NODES", "COUNT", "GPUS", "EFA", "ROLES"),
    )
    return f"{title}\n\n{roles}\n\n{nodes}"


def _role(name: str, role: dict[str, Any]) -> tuple[object, ...]:
    cache, parallelism = role.get("kvCache"), role["parallelism"]
    pods = (role["replicas"], role["replicas"] * role["podsPerReplica"], parallelism["tensor"], parallelism["data"])
    of_a_pod = (role["gpusPerPod"], role["efaPerPod"], role["cpuPerPod"], role["memoryPerPod"])
    return name, *pods, *of_a_pod, role["podsPerNode"], f"{cache['tokensPerRank']:,}" if cache else "-"


def _devices(nodes: list[dict[str, Any]]) -> tuple[object, ...]:
    """How many nodes, and what is used of their devices."""
    shares = [
        f"{sum(each[kind]['used'] for each in nodes)} of {sum(each[kind]['of'] for each in nodes)}"
        for kind in ("gpus", "efa")
    ]
    return sum(each["nodes"] for each in nodes), *shares


def _together(plans: list[Plan], taken: list[dict[str, Any]]) -> str:
    """What all specs take, by instance type and zone: a spec with several instance types counts on each of them."""
    places: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for plan, each in zip(plans, taken, strict=True):
        for node in each["nodes"]:
            place = node["instanceType"], plan.spec.asked.cluster.zone or "any"
            places.setdefault(place, []).append({**node, "spec": plan.spec.name})
    rows = [(*at, len({node["spec"] for node in nodes}), *_devices(nodes)) for at, nodes in sorted(places.items())]
    return f"all specs together, each on every instance type that it has\n\n{columns(rows, TOTAL)}"
