"""`llmdgen preflight`: whether a live cluster can run what a spec plans. It only reads."""

from __future__ import annotations

import os

import click

from llmdgen.cli import options, status, work
from llmdgen.cli.terminal import columns, complain, print_json, say
from llmdgen.planning.model import Plan
from llmdgen.preflight import conclusion, preflight
from llmdgen.preflight.answer import Answer, ClusterError
from llmdgen.preflight.cluster import Cluster
from llmdgen.preflight.connection import connect


@click.command(
    epilog="Exit codes: 0 the cluster can run it; 1 it cannot, or gives no answers; 2 unknown, since the user may not "
    "read everything; 64 wrong usage."
)
@options.SPEC_FILE
@click.option("--context", metavar="C", help="The context of the kubeconfig. Default: its current one.")
@options.INSTANCE_TYPES
@options.form("table", "json")
def command(spec: str, context: str | None, instance_types: tuple[str, ...], form: str) -> int:
    """Ask a live cluster, without changing it, whether it can run a spec on each of its instance types."""
    plans = work.sound_plans([spec], instance_types)
    try:
        cluster = Cluster(connect(context, os.environ.get("KUBECONFIG")))
        answered = [(plan, preflight(plan, cluster)) for plan in plans]
    except ClusterError as error:
        complain(f"llmdgen: error: {error}")
        return status.ERROR
    if form == "json":
        print_json([_summary(plan, answers) for plan, answers in answered])
    else:
        say("\n\n".join(_table(plan, answers) for plan, answers in answered))
    verdicts = {answer.verdict for _, answers in answered for answer in answers}
    if verdicts <= {"ok"}:
        return status.OK
    return status.UNKNOWN if verdicts <= {"ok", "unknown"} else status.ERROR


def _summary(plan: Plan, answers: list[Answer]) -> dict[str, object]:
    return {
        "name": plan.spec.name,
        "target": plan.target,
        "ok": all(answer.verdict == "ok" for answer in answers),
        "conclusion": conclusion(answers),
        "answers": answers,
    }


def _table(plan: Plan, answers: list[Answer]) -> str:
    """A line for each question; below the table, what helps where something is wrong, and what all say together."""
    rows = columns(
        ((each.verdict, each.code, each.what, each.needed, each.found) for each in answers),
        ("VERDICT", "CODE", "WHAT", "NEEDED", "FOUND"),
    )
    fixes = "\n".join(f"{each.code} {each.what}: {each.fix}" for each in answers if each.fix)
    title = f"{plan.spec.name} on {plan.target}"
    return "\n\n".join(part for part in (title, rows, fixes, conclusion(answers)) if part)
