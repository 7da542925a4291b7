"""A plan becomes the files of its output directory: relative name -> text. Nothing is decided here."""

from __future__ import annotations

from llmdgen.findings import Located, Route
from llmdgen.kube.servers import argument_files
from llmdgen.objects import objects
from llmdgen.objects.chart import chart_files, present, servers_of
from llmdgen.objects.router import COMMENTS, router_values
from llmdgen.objects.workload import deadline
from llmdgen.planning.model import Plan
from llmdgen.rendering.allocation import allocation
from llmdgen.rendering.encoding import comment
from llmdgen.rendering.summary import summary
from llmdgen.rendering.topology import topology
from llmdgen.yaml_text import dump, sections

_IN_HELMFILE: dict[Route, str] = {
    ("helmDefaults", "timeout"): "Seconds that `--wait` waits: model servers load their weights first.",
    ("helmDefaults", "skipDeps"): "The charts directory holds their dependencies.",
    ("releases", 0): "The InferencePool and its scheduler.",
    ("releases", 1): "The Gateway, the route to the pool and the model servers.",
}


def files(plan: Plan, findings: tuple[Located, ...] = (), charts: str | None = None) -> dict[str, str]:
    """Every file of a target. `findings` are the warnings that SUMMARY.md and allocation.yaml repeat; `charts` is the
    path from the target directory to a directory of charts, for machines without a network."""
    made = objects(plan)
    chart = plan.release.charts["router"].name
    about = f"Values of the {chart} chart: the pool of model servers and the endpoint picker that schedules on it."
    return {
        "SUMMARY.md": summary(plan, findings),
        "allocation.yaml": dump(allocation(plan, findings)),
        **chart_files(made, plan.release.name),
        "helmfile.yaml": helmfile(plan, charts),
        "topology.svg": topology(plan),
        "values/router.yaml": f"# {about}\n" + sections(router_values(plan), COMMENTS),
        **argument_files(servers_of(plan, made)),
    }


def helmfile(plan: Plan, charts: str | None) -> str:
    """The file of a target; `charts` is the path from there to a directory of charts, None for the published ones."""
    title = comment(f"{plan.spec.name} on {plan.target}: llm-d {plan.release.name}, {' + '.join(plan.paths)}.")
    about = f"# {title}\n# Deploy with `helmfile apply` in this directory; SUMMARY.md says what that gives.\n"
    chart, router, servers = plan.release.charts["router"], plan.names.router, plan.names.servers
    source = {"chart": chart.repository, "version": chart.version}
    if charts is not None:
        source = {"chart": f"{charts}/{chart.name}"}
    timeout, here = max(deadline(role) for role in plan.roles), {"namespace": plan.names.namespace}
    document = {
        "helmDefaults": present(createNamespace=True, skipDeps=charts is not None, timeout=timeout),
        "releases": [
            {"name": router, **here, **source, "values": ["values/router.yaml"]},
            {"name": servers, **here, "chart": "./chart", "needs": [f"{plan.names.namespace}/{router}"]},
        ],
    }
    return about + sections(document, _IN_HELMFILE)
