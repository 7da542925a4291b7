"""What a cluster pulls for a deployment: images with their users, and the router's chart."""

from __future__ import annotations

from msgspec import Struct

from llmdgen.planning.images import images
from llmdgen.planning.model import Plan
from llmdgen.spec.model import Images as Asked


class Pulled(Struct, frozen=True, kw_only=True, rename="camel"):
    """An image or a chart: its reference, where upstream has it, and what of the deployment uses it. `rebuild` is what
    it is made from where upstream no longer serves it."""

    reference: str
    upstream: str
    used_by: tuple[str, ...]
    kind: str = "image"
    rebuild: str | None = None


def pulled(plan: Plan) -> tuple[Pulled, ...]:
    """Every image of the deployment's pods and the router's chart."""
    upstream = images(Asked(model_server=_variant(plan)), plan.release)

    def gone(name: str) -> str | None:
        withdrawn = plan.release.withdrawn.get(name)
        return (withdrawn.rebuild or withdrawn.says) if withdrawn else None

    roles = tuple(role.name for role in plan.roles)
    found = [
        Pulled(reference=plan.images.model_server, upstream=upstream.model_server, used_by=roles),
        Pulled(
            reference=plan.images.scheduler,
            upstream=upstream.scheduler,
            used_by=("scheduler",),
            rebuild=gone("scheduler"),
        ),
    ]
    if plan.sidecar is not None:
        found.append(
            Pulled(
                reference=plan.images.sidecar,
                upstream=upstream.sidecar,
                used_by=("decode",),
                rebuild=gone("routing_sidecar"),
            )
        )
    if plan.scheduler.tokenizer and plan.images.tokenizer:
        found.append(_pulled(plan.images.tokenizer, upstream.tokenizer or "", "scheduler", gone("tokenizer")))
    chart = plan.release.charts["router"]
    reference = f"{chart.repository}:{chart.version}"
    return (*found, Pulled(reference=reference, upstream=reference, used_by=("router",), kind="chart"))


def _variant(plan: Plan) -> str:
    """The name of the variant whose image the model servers run, or were copied from."""
    return next(name for name, server in plan.release.model_servers.items() if server == plan.server)


def _pulled(reference: str, upstream: str, user: str, rebuild: str | None) -> Pulled:
    return Pulled(reference=reference, upstream=upstream, used_by=(user,), rebuild=rebuild)
