"""A plan becomes the files of its output directory: relative name -> text. Nothing is decided here."""

from __future__ import annotations

from typing import Any

from llmdgen.findings import Located
from llmdgen.planning.model import Plan
from llmdgen.rendering.allocation import allocation
from llmdgen.rendering.gateway_objects import gateway_objects
from llmdgen.rendering.overrides import merged
from llmdgen.rendering.roles import role_values
from llmdgen.rendering.route import http_route
from llmdgen.rendering.summary import summary
from llmdgen.rendering.templates import render
from llmdgen.rendering.topology import topology
from llmdgen.rendering.yaml_text import dump

CHART_FOLDERS = {"infra": "llm-d-infra", "gaie": "inferencepool", "ms": "llm-d-modelservice"}


def files(plan: Plan, findings: tuple[Located, ...] = (), charts: str | None = None) -> dict[str, str]:
    """Every file of a target. `findings` are the warnings that SUMMARY.md repeats; `charts` is the path from the target
    directory to a directory of charts, for machines without a network."""
    values = plan.spec.spec.values
    return {
        "SUMMARY.md": summary(plan, findings),
        "allocation.yaml": dump(allocation(plan)),
        "helmfile.yaml": _helmfile(plan, charts),
        "topology.svg": topology(plan),
        "values/gaie.yaml": merged(_gaie(plan), values.gaie),
        "values/infra.yaml": merged(_infra(plan), values.infra),
        "values/ms.yaml": merged(_ms(plan), values.ms),
        **{f"vllm/{name}.args": "\n".join(argv) + "\n" for role in plan.roles for name, argv in role.argv.items()},
    }


def _helmfile(plan: Plan, charts: str | None) -> str:
    pins = plan.release.charts
    chart_of = {}
    for key, chart in pins.items():
        if charts is not None:
            chart_of[key] = f"{charts}/{CHART_FOLDERS[key]}"
        elif chart.repository.startswith("oci://"):
            chart_of[key] = chart.repository
        else:
            chart_of[key] = f"{chart.name}/{chart.name}"
    return render(
        "helmfile.yaml.j2",
        title=f"{plan.spec.name} on {plan.target}: llm-d {plan.release.name}, {' + '.join(plan.paths)}.",
        names=plan.names,
        release=plan.release,
        charts=charts,
        chart_of=chart_of,
        repositories=[chart for chart in pins.values() if not chart.repository.startswith("oci://")],
    )


def _infra(plan: Plan) -> str:
    objects = gateway_objects(plan) if plan.gateway.own_gateway else []
    return render("infra.yaml.j2", gateway=plan.gateway, objects=objects)


def _gaie(plan: Plan) -> str:
    hub, _, image = plan.release.images["scheduler"].rpartition("/")
    name, _, tag = image.partition(":")
    return render(
        "gaie.yaml.j2",
        names=plan.names,
        release=plan.release,
        scheduler=plan.scheduler,
        gateway=plan.gateway,
        selector=pool_selector(plan),
        image={"hub": hub, "name": name, "tag": tag},
        flags=plan.release.scheduler_flags,
        service_port=plan.engine["ports"]["service"],
        scheduler_port=plan.engine["ports"]["scheduler"],
        secret=plan.spec.spec.model.auth_secret_name,
        precise=plan.precise,
    )


def planned_values(plan: Plan, chart: str) -> str:
    """The values of a chart (infra, gaie or ms) as llmdgen alone writes them, without the spec's own over them."""
    return {"infra": _infra, "gaie": _gaie, "ms": _ms}[chart](plan)


def _ms(plan: Plan) -> str:
    prefill, decode = plan.role("prefill"), plan.role("decode")
    assert decode is not None, "every path has decode servers"
    context: dict[str, Any] = {
        "multinode": plan.multinode,
        "model": {
            "name": plan.spec.spec.model.name,
            "uri": plan.model_uri,
            "size": plan.model_size,
            "mount_path": plan.model_mount,
        },
        "secret": plan.spec.spec.model.auth_secret_name,
        "labels": plan.labels,
        "ports": plan.engine["ports"],
        "sidecar": plan.sidecar,
        "own_sidecar": plan.own_sidecar,
        "sidecar_image": plan.release.images["routing_sidecar"],
        "image": plan.release.images["model_server"],
        "tolerations": plan.tolerations,
        "startup_failures": plan.startup_minutes * 2,
        "prefill": role_values(plan, prefill) if prefill else None,
        "decode": role_values(plan, decode),
        "route": http_route(plan),
    }
    return render("ms.yaml.j2", **context)


def pool_selector(plan: Plan) -> dict[str, str]:
    """The labels by which the pool finds its model servers: those that tell this deployment from others."""
    return {key: plan.labels[key] for key in ("llm-d.ai/inference-serving", "llm-d.ai/guide", "llm-d.ai/deployment")}
