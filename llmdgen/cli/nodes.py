"""`llmdgen nodes`: the planned nodes of a simulated cluster, to rehearse an apply where there are no GPUs."""

from __future__ import annotations

import click

from llmdgen.cli import options, status, work
from llmdgen.objects.nodes import nodes
from llmdgen.yaml_text import dump


@click.command(epilog="Exit codes: 0 done, 1 an error, 64 wrong usage.")
@options.SPEC_FILES
@options.INSTANCE_TYPES
def command(specs: tuple[str, ...], instance_types: tuple[str, ...]) -> int:
    """Print the nodes that specs plan with as Node objects for kwok, to be applied to a cluster without GPUs.

    They have the labels, taints and devices of the planned types, and every pod of the plan finds its place on them.
    """
    plans = work.sound_plans(specs, instance_types)
    click.echo("---\n".join(map(dump, nodes(plans))), nl=False)
    return status.OK
