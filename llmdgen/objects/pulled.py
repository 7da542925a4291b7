"""What a cluster pulls for a deployment: images with their users, and the router's chart."""

from __future__ import annotations

from msgspec import Struct

from llmdgen.objects import objects
from llmdgen.objects.chart import servers_of
from llmdgen.planning.model import Plan


class Pulled(Struct, frozen=True, kw_only=True, rename="camel"):
    """An image or a chart: its reference, where upstream has it, and what of the deployment uses it.

    `upstream` is None for an image of the spec's own that no image of the release is a copy of. `withdrawn` says that
    upstream no longer serves it, `rebuild` what it is made from then.
    """

    reference: str
    upstream: str | None
    used_by: tuple[str, ...]
    kind: str = "image"
    withdrawn: str | None = None
    rebuild: str | None = None


def pulled(plan: Plan) -> tuple[Pulled, ...]:
    """Every image of the deployment's pods, containers of `<role>.pod` among them, and the router's chart. What
    spec.values.router switches on in that chart is not known here."""
    users: dict[str, dict[str, None]] = {}
    for workload in servers_of(plan, objects(plan)).workloads:
        for container in workload.containers:
            users.setdefault(container.image, {})[workload.role] = None
    users.setdefault(plan.images.scheduler, {})["scheduler"] = None
    if plan.scheduler.tokenizer and plan.images.tokenizer:
        users.setdefault(plan.images.tokenizer, {})["scheduler"] = None
    chart = plan.release.charts["router"]
    reference = f"{chart.repository}:{chart.version}"
    return (
        *(_image(plan, image, tuple(used)) for image, used in users.items()),
        Pulled(reference=reference, upstream=reference, used_by=("router",), kind="chart"),
    )


def _image(plan: Plan, reference: str, users: tuple[str, ...]) -> Pulled:
    known = {"": plan.server.image, **plan.release.images}
    same = ((name, image) for name, image in known.items() if _name(image) == _name(reference))
    name, upstream = next(same, ("", None))
    gone = plan.release.withdrawn.get(name)
    withdrawn, rebuild = (gone.says, gone.rebuild) if gone else (None, None)
    return Pulled(reference=reference, upstream=upstream, used_by=users, withdrawn=withdrawn, rebuild=rebuild)


def _name(image: str) -> str:
    """What a mirror keeps of a reference: name, tag and digest."""
    return image.rpartition("/")[2]
