"""`llmdgen preflight`: whether a live cluster can run what a spec plans. It only reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from llmdgen.cli import options, status, work
from llmdgen.cli.terminal import columns, complain, say
from llmdgen.planning.model import Plan

if TYPE_CHECKING:
    from llmdgen.preflight.answer import Answer


@click.command(epilog="Exit codes: 0 the cluster can run it; 1 it cannot, or cannot be asked; 64 wrong usage.")
@options.SPEC_FILE
@click.option("--context", metavar="C", help="The context of the kubeconfig. Default: its current one.")
@options.instance_types()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(spec: str, context: str | None, instance_types: tuple[str, ...], form: str) -> int:
    """Ask a live cluster, without changing it, whether it can run a spec on each of its instance types."""
    plans = work.sound_plans([spec], instance_types)
    from llmdgen.preflight import preflight
    from llmdgen.preflight.answer import ClusterError
    from llmdgen.preflight.cluster import connect

    try:
        cluster = connect(context, os.environ.get("KUBECONFIG"))
        answered = [(plan, preflight(plan, cluster)) for plan in plans]
    except ClusterError as error:
        complain(f"llmdgen: error: {error}")
        return status.ERROR
    if form == "json":
        _print_json(answered)
    else:
        say("\n\n".join(_table(plan, answers) for plan, answers in answered))
    return status.ERROR if any(answer.is_wrong for _, answers in answered for answer in answers) else status.OK


def _print_json(answered: list[tuple[Plan, list[Answer]]]) -> None:
    from llmdgen.report.document import document

    found = [
        {
            "name": plan.spec.name,
            "target": plan.target,
            "ok": not any(answer.is_wrong for answer in answers),
            "answers": answers,
        }
        for plan, answers in answered
    ]
    click.echo(document(found), nl=False)


def _table(plan: Plan, answers: list[Answer]) -> str:
    """A line for each question; what is wrong says below the table what helps."""
    rows = columns(
        ((each.verdict, each.code, each.what, each.needed, each.found) for each in answers),
        ("VERDICT", "CODE", "WHAT", "NEEDED", "FOUND"),
    )
    fixes = "\n".join(f"{each.code} {each.what}: {each.fix}" for each in answers if each.fix)
    title = f"{plan.spec.name} on {plan.target}"
    return f"{title}\n\n{rows}" + (f"\n\n{fixes}" if fixes else "")
