"""A plan becomes the files of its output directory: relative name -> text. Nothing is decided here."""

from __future__ import annotations

from llmdgen.findings import Located
from llmdgen.kube.servers import argument_files
from llmdgen.objects import objects
from llmdgen.objects.chart import chart_files, servers_of
from llmdgen.objects.router import COMMENTS, router_values
from llmdgen.planning.model import Plan
from llmdgen.rendering.allocation import allocation
from llmdgen.rendering.helmfile import helmfile
from llmdgen.rendering.summary import summary
from llmdgen.rendering.topology import topology
from llmdgen.yaml_text import dump, sections


def files(plan: Plan, findings: tuple[Located, ...] = (), charts: str | None = None) -> dict[str, str]:
    """Every file of a target. `findings` are the warnings that SUMMARY.md repeats; `charts` is the path from the target
    directory to a directory of charts, for machines without a network."""
    made = objects(plan)
    chart = plan.release.charts["router"].name
    about = f"Values of the {chart} chart: the pool of model servers and the endpoint picker that schedules on it."
    return {
        "SUMMARY.md": summary(plan, findings),
        "allocation.yaml": dump(allocation(plan)),
        **chart_files(made, plan.release.name),
        "helmfile.yaml": helmfile(plan, charts),
        "topology.svg": topology(plan),
        "values/router.yaml": f"# {about}\n" + sections(router_values(plan), COMMENTS),
        **argument_files(servers_of(plan, made)),
    }
