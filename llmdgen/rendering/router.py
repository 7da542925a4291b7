"""values/router.yaml: the pool and its scheduler, as the release's router chart reads them."""

from __future__ import annotations

from llmdgen.objects.labels import pool_selector
from llmdgen.planning.images import split
from llmdgen.planning.model import Plan
from llmdgen.rendering.environment import render

CONFIG_DIGEST = "llm-d.ai/scheduler-config"


def router_values(plan: Plan) -> str:
    """The values as llmdgen alone writes them, without the spec's own over them. The template is the chart's."""
    registry, name, tag = split(plan.images.scheduler)
    return render(
        f"router/{plan.release.charts['router'].name}.yaml.j2",
        names=plan.names,
        images=plan.images,
        scheduler=plan.scheduler,
        gateway=plan.gateway,
        selector=pool_selector(plan),
        image={"registry": registry, "name": name, "tag": tag},
        flags=plan.release.scheduler_flags,
        ports=plan.engine["ports"],
        target_ports=plan.target_ports,
        secret=plan.spec.spec.model.auth_secret_name,
        precise=plan.precise,
        resources=plan.release.scheduler_resources,
        failure_mode=plan.release.pool_failure_mode,
        annotations={CONFIG_DIGEST: plan.scheduler.digest},
    )
