"""`llmdgen plan`: what a spec takes of a cluster, without writing anything."""

from __future__ import annotations

from typing import Any

import click

from llmdgen.cli import options, status, work
from llmdgen.cli.terminal import columns, say, visible
from llmdgen.planning.model import Plan
from llmdgen.spec.model import Spec


@click.command(epilog="Exit codes: 0 done, 1 an error, 64 wrong usage.")
@options.SPEC_FILE
@options.instance_types()
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "svg", "yaml"]),
    default="table",
    show_default=True,
    help="yaml is the spec itself, with what it extends, and the place that each value comes from.",
)
def command(spec: str, instance_types: tuple[str, ...], form: str) -> int:
    """Show topology, placement and capacity of a spec on each of its instance types."""
    if form == "yaml":
        _print_specs(work.read([spec])[0])
    plans = work.sound_plans([spec], instance_types)
    if form == "svg":
        _print_drawing(plans)
    elif form == "json":
        from llmdgen.rendering.allocation import allocation
        from llmdgen.report.document import document

        click.echo(document(list(map(allocation, plans))), nl=False)
    elif form == "table":
        say("\n\n".join(map(_table, plans)))
    return status.OK


def _print_specs(specs: list[Spec]) -> None:
    """The specs, whatever the checks say of them: they are what a finding is about."""
    from llmdgen.rendering.merged import merged

    click.echo(visible("---\n".join(map(merged, specs))), nl=False)


def _print_drawing(plans: list[Plan]) -> None:
    from llmdgen.rendering.topology import topology

    if len(plans) != 1:
        raise click.UsageError("one drawing shows one instance type: choose it with --instance-type")
    click.echo(topology(plans[0]), nl=False)


def _table(plan: Plan) -> str:
    """A plan for a terminal: a line of its own for each role, and for the nodes that the roles share."""
    from llmdgen.rendering.allocation import allocation

    taken = allocation(plan)
    title = f"{plan.spec.name} on {plan.target}: {' + '.join(plan.paths)}, llm-d {plan.release.name}"
    roles = columns(
        (_role(name, role) for name, role in taken["roles"].items()),
        (
            "ROLE",
            "ON",
            "REPLICAS",
            "PODS",
            "TP",
            "DP",
            "GPUS/POD",
            "EFA/POD",
            "CPU/POD",
            "MEMORY/POD",
            "PODS/NODE",
            "KV TOKENS/RANK",
        ),
    )
    nodes = columns(
        (
            (
                node["instanceType"],
                node["nodes"],
                f"{node['gpus']['used']} of {node['gpus']['of']}",
                f"{node['efa']['used']} of {node['efa']['of']}",
                ", ".join(node["roles"]),
            )
            for node in taken["nodes"]
        ),
        ("NODES", "COUNT", "GPUS", "EFA", "ROLES"),
    )
    return f"{title}\n\n{roles}\n\n{nodes}"


def _role(name: str, role: dict[str, Any]) -> tuple[object, ...]:
    cache = role.get("kvCache")
    return (
        name,
        role["instanceType"],
        role["replicas"],
        role["replicas"] * role["podsPerReplica"],
        role["parallelism"]["tensor"],
        role["parallelism"]["data"],
        role["gpusPerPod"],
        role["efaPerPod"],
        role["cpuPerPod"],
        role["memoryPerPod"],
        role["podsPerNode"],
        f"{cache['tokensPerRank']:,}" if cache else "-",
    )
