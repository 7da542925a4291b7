"""A plan becomes the files of its output directory: relative name -> text. Nothing is decided here."""

from __future__ import annotations

from llmdgen.findings import Located
from llmdgen.kube.argument_files import argument_files
from llmdgen.objects import objects
from llmdgen.objects.chart import chart_files
from llmdgen.objects.servers import servers_of
from llmdgen.planning.model import Plan
from llmdgen.rendering.allocation import allocation
from llmdgen.rendering.environment import render
from llmdgen.rendering.overrides import merged
from llmdgen.rendering.router import router_values
from llmdgen.rendering.summary import summary
from llmdgen.rendering.topology import topology
from llmdgen.yaml_text import dump


def files(plan: Plan, findings: tuple[Located, ...] = (), charts: str | None = None) -> dict[str, str]:
    """Every file of a target. `findings` are the warnings that SUMMARY.md repeats; `charts` is the path from the target
    directory to a directory of charts, for machines without a network."""
    made = objects(plan)
    return {
        "SUMMARY.md": summary(plan, findings),
        "allocation.yaml": dump(allocation(plan)),
        **chart_files(made, plan.release.name),
        "helmfile.yaml": helmfile(plan, charts),
        "topology.svg": topology(plan),
        "values/router.yaml": merged(router_values(plan), plan.spec.spec.values.router),
        **argument_files(servers_of(plan, made)),
    }


def helmfile(plan: Plan, charts: str | None) -> str:
    """helmfile.yaml: the router's chart, pinned or from a directory, then the local chart."""
    chart = plan.release.charts["router"]
    published = chart.repository if chart.repository.startswith("oci://") else f"{chart.name}/{chart.name}"
    return render(
        "helmfile.yaml.j2",
        title=f"{plan.spec.name} on {plan.target}: llm-d {plan.release.name}, {' + '.join(plan.paths)}.",
        names=plan.names,
        chart=chart,
        charts=charts,
        router_chart=published if charts is None else f"{charts}/{chart.name}",
        repository=None if charts is not None or chart.repository.startswith("oci://") else chart.repository,
    )
