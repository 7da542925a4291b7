"""Images: each can be pulled, is the same tomorrow, and comes from where the spec says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.kube.container import image_name
from llmdgen.kube.servers import Servers
from llmdgen.planning.images import repository
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of

MOVING = frozenset({"latest", "main", "master", "nightly", "dev", "edge", "stable"})
_REFERENCE = re.compile(
    r"[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(@sha256:[0-9a-f]{64})?"
)
_AT = ("spec", "images")


@rule("IMG001", "error", "an image that is not the same tomorrow")
def images_are_pinned(plan: Plan) -> Iterator[Draft]:
    """A reference of the spec's own needs a tag or a digest, or the container runtime takes :latest; and a tag that
    moves, such as :main, gives a node that pulls later another program than the one that was tested.

    Fails:  images {scheduler: registry.example.com/epp:main}; images {sidecar: registry.example.com/sidecar}.
    Passes: images {scheduler: "registry.example.com/epp:v0.10.0"}, or @sha256: and a digest.
    """
    asked = plan.spec.spec.images
    references = {"modelServer": asked.model_server, "scheduler": asked.scheduler, "sidecar": asked.sidecar}
    for key, reference in references.items():
        if reference is None or (key == "modelServer" and reference in plan.release.model_servers):
            continue
        if key == "modelServer" and "/" not in reference:
            variants = one_of(sorted(plan.release.model_servers))
            says = f"llm-d {plan.release.name} has no model server image {reference}"
            yield found(*_AT, key, says=says, fix=f"use {variants}, or a reference with its registry")
        else:
            for says, fix in _unpinned(reference):
                yield found(*_AT, key, says=says, fix=fix)


@rule("IMG002", "warning", "an image that its registry no longer serves")
def images_are_served(plan: Plan) -> Iterator[Draft]:
    """Upstream withdraws images: a node that does not have one yet can start no pod with it. What was withdrawn stands
    in the release's facts, with who said so and when.

    Fails:  release v0.5.1 with its own images.
    Passes: the same with images {registry: ...}, where copies or rebuilt images lie; a release that is served.
    """
    asked = plan.spec.spec.images
    own = {"scheduler": asked.scheduler, "routing_sidecar": asked.sidecar}
    if asked.registry is not None:
        return
    for name, gone in plan.release.withdrawn.items():
        if own.get(name) is not None or name not in used(plan):
            continue
        reported = f"reported {gone.date}" if gone.date else "by one report"
        copy = f"; a copy is {gone.survives}" if gone.survives else ""
        rebuilt = f"; build it from {gone.rebuild}" if gone.rebuild else ""
        yield found(
            "spec",
            "release",
            says=f"{gone.says} ({reported})",
            fix=f"set images.registry to a registry that has it{copy}{rebuilt}; `llmdgen images` lists them all",
        )


def used(plan: Plan) -> set[str]:
    """The images of the release, by their names in its facts, that some container of the deployment runs."""
    return {
        "scheduler",
        *(["routing_sidecar"] if plan.sidecar is not None else []),
        *(["tokenizer"] if plan.scheduler.tokenizer else []),
    }


@rule("IMG003", "warning", "pull secrets that the scheduler does not get")
def scheduler_has_its_pull_secret(plan: Plan) -> Iterator[Draft]:
    """No router chart has a place for the scheduler's pull secrets: its pod pulls with what the node may pull, or with
    those of its ServiceAccount.

    Fails:  images {pullSecrets: [registry]}.
    Passes: a registry from which the nodes' role may pull, as Amazon ECR; the finding suppressed, once the
            ServiceAccount has the secret.
    """
    secrets = plan.spec.spec.images.pull_secrets
    if secrets:
        patch = f"kubectl -n {plan.names.namespace} patch serviceaccount {plan.names.scheduler_service}"
        yield found(
            *_AT,
            "pullSecrets",
            says=f"the chart {plan.release.charts['router'].name} gives the scheduler's pod no pull secret",
            fix=f"give it to its ServiceAccount after the first apply: {patch} -p "
            f'\'{{"imagePullSecrets": [{{"name": "{secrets[0]}"}}]}}\'',
        )


@rule("VER050", "error", "an image is not pinned")
def containers_are_pinned(servers: Servers) -> Iterator[Draft]:
    """An image without a tag, or with one that moves, is another image tomorrow: pods of one Deployment then run
    different vLLM versions, and what was verified is not what runs.

    Fails:  ghcr.io/llm-d/llm-d-aws:latest, ghcr.io/llm-d/llm-d-aws; /llm-d-aws:v0.5.1, which no registry can hold.
    Passes: ghcr.io/llm-d/llm-d-aws:v0.5.1, or a digest.
    """
    for workload in servers.workloads:
        for container in workload.containers:
            for says, fix in _unpinned(container.image):
                says = f"container {container.name}: {says}"
                yield found(*container.route, "image", says=says, fix=fix, of=workload.manifest)


@rule("VER051", "error", "an image is not the release's")
def images_are_the_releases(servers: Servers) -> Iterator[Draft]:
    """On AWS every model server runs one of the release's images for it: others lack the EFA installer or its
    libfabric, so that NIXL falls back to TCP. Scheduler and sidecar must be of the versions whose flags were written.

    Fails:  ghcr.io/llm-d/llm-d-cuda:v0.5.1 as a model server; llm-d-routing-sidecar of another release.
    Passes: ghcr.io/llm-d/llm-d-aws:v0.5.1, or the same image in a registry of one's own.
    """
    images = servers.release.images
    variants = {image_name(each.image): each.image for each in servers.release.model_servers.values()}
    expected = {image_name(image): image for image in images.values()} | variants
    for workload in servers.workloads:
        for container in workload.containers:
            wanted = expected.get(image_name(container.image))
            if container.serves:
                wanted = variants.get(image_name(container.image), images.get("model_server", ""))
            elif container.is_routing_sidecar:
                wanted = images.get("routing_sidecar", "")
            elif "config-file" in container.sidecar_flags and "pool-name" in container.sidecar_flags:
                wanted = images.get("scheduler", "")
            # A mirror in a registry of one's own keeps the image's name and tag; a digest cannot be compared.
            if wanted and "@" not in container.image and _last(container.image) != _last(wanted):
                yield found(
                    *container.route,
                    "image",
                    says=f"{container.image} of container {container.name} is not of {servers.release.name}",
                    fix=f"use {wanted}",
                    of=workload.manifest,
                )


def _unpinned(reference: str) -> Iterator[tuple[str, str]]:
    """Why a reference is no image, or another one tomorrow, and what to write."""
    if not _REFERENCE.fullmatch(reference):
        says = f"{reference or 'nothing'} is not a reference that a container runtime reads"
        yield says, "write registry/organisation/name:tag, or @sha256: and a digest"
    elif "@" not in reference:
        tag = reference.removeprefix(repository(reference)).removeprefix(":")
        if not tag:
            yield f"{reference} has no tag", "add the tag, or a digest"
        elif tag.lower() in MOVING:
            yield f"the tag {tag} moves", "name a release, or a digest"


def _last(image: str) -> str:
    """The image without its registry and organisation: llm-d-aws:v0.5.1."""
    return image.rpartition("/")[2]
