"""Images: each can be pulled, is the same tomorrow, and comes from where the spec says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.facts.types import Withdrawn
from llmdgen.kube.servers import Servers
from llmdgen.kube.workload import Container, image_name
from llmdgen.planning.model import Plan
from llmdgen.planning.source import repository
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of

MOVING = frozenset({"latest", "main", "master", "nightly", "dev", "edge", "stable"})
_REFERENCE = re.compile(
    r"[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(@sha256:[0-9a-f]{64})?"
)
_AT = ("spec", "images")
PIN = "give the image a version's tag, or @sha256: and a digest"


@rule("IMG001", "error", "a model server image that the release does not have")
def variants_are_known(plan: Plan) -> Iterator[Draft]:
    """The model server's image is one of the release's variants by name, or a reference with its registry.

    Fails:  `{images: {modelServer: llm-d-cuda}}`.
    Passes: `{images: {modelServer: llm-d-aws}}`; `{images: {modelServer: "registry.example.com/llm-d-aws:v0.9.0"}}`.
    """
    asked = plan.spec.asked.images.model_server
    if asked is not None and asked not in plan.release.model_servers and "/" not in asked:
        variants = one_of(sorted(plan.release.model_servers))
        says = f"llm-d {plan.release.name} has no model server image {asked}"
        yield found(*_AT, "modelServer", says=says, fix=f"use {variants}, or a reference with its registry")


@rule("IMG004", "error", "a scheduler image that is not the same tomorrow")
def scheduler_is_pinned(plan: Plan) -> Iterator[Draft]:
    """As of the other images (VER050): without a tag the container runtime takes :latest, and a tag that moves, such as
    :main, gives a node that pulls later another program than the one that was tested.

    Fails:  `{images: {scheduler: "registry.example.com/epp:main"}}`.
    Passes: `{images: {scheduler: "registry.example.com/epp:v0.10.0"}}`, or @sha256: and a digest.
    """
    asked = plan.spec.asked.images.scheduler
    if asked is not None and not is_pinned(asked):
        yield found(*_AT, "scheduler", says=f"{asked} is not pinned", fix=PIN)


@rule("VER050", "error", "an image is not pinned")
def images_are_pinned(container: Container) -> Iterator[Draft]:
    """An image without a tag, or with one that moves, is another image tomorrow: pods of one Deployment then run
    different vLLM versions, and what was verified is not what runs.

    Fails:  `{decode: {pod: {containers: [{name: log, image: "example.com/log:latest"}]}}}`; no tag; /llm-d-aws:v0.5.1,
            which no registry can hold.
    Passes: `{decode: {pod: {containers: [{name: log, image: "example.com/log:v1"}]}}}`.
    """
    if not is_pinned(container.image):
        says = f"{container.image or 'no image'} of container {container.name} is not pinned"
        yield container.found("image", says=says, fix=PIN)


@rule("VER051", "error", "an image is not the release's")
def images_are_the_releases(servers: Servers) -> Iterator[Draft]:
    """On AWS every model server runs one of the release's images for it: upstream's others lack the EFA installer or
    its libfabric, so that NIXL falls back to TCP. Model server and sidecar must be of the versions whose flags were
    written. An image of another name, outside of upstream's registry, is the spec's own to answer for.

    Fails:  `{decode: {pod: {containers: [{name: vllm, image: "ghcr.io/llm-d/llm-d-cuda:v0.6.0"}]}}, release: v0.6.0}`.
    Passes: `{decode: {pod: {containers: [{name: vllm, image: "example.com/llm-d-aws:v0.6.0-patched"}]}}, release:
            v0.6.0}`, a copy of the release's.
    """
    variants = [each.image for each in servers.release.model_servers.values()]
    sidecars = [servers.release.images["routing_sidecar"]]
    for container in servers.containers:
        known = variants if container.serves else sidecars if container.is_routing_sidecar else []
        wanted = next((each for each in known if image_name(each) == image_name(container.image)), None)
        foreign = known and wanted is None and _organisation(container.image) in map(_organisation, known)
        # A mirror keeps the image's name and tag; a digest cannot be compared.
        other = wanted and "@" not in container.image and not _last(container.image).startswith(_last(wanted))
        if is_pinned(container.image) and (foreign or other):  # else VER050 says it
            says = f"{container.image} of container {container.name} is not of {servers.release.name}"
            yield container.found("image", says=says, fix=f"use {wanted or one_of(known)}")


def is_pinned(image: str) -> bool:
    """Whether a reference can be pulled, and is the same image tomorrow."""
    tag = image.removeprefix(repository(image)).partition("@")[0].removeprefix(":")
    return bool(_REFERENCE.fullmatch(image)) and ("@" in image or bool(tag and tag.lower() not in MOVING))


def _last(image: str) -> str:
    """The image without its registry and organisation: llm-d-aws:v0.5.1."""
    return image.rpartition("/")[2]


def _organisation(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[0]


@rule("IMG002", "warning", "an image that its registry no longer serves")
def images_are_served(plan: Plan) -> Iterator[Draft]:
    """Upstream withdraws images: a node that does not have one yet can start no pod with it. What was withdrawn stands
    in the release's facts, with who said so and when.

    Fails:  `{release: v0.5.1}` with its own images.
    Passes: `{release: v0.5.1, images: {registry: registry.example.com/llm-d}}`, where copies or rebuilt images lie;
            `{release: v0.9.0}`, which is served.
    """
    for gone in withdrawn(plan):
        reported = f"reported {gone.date}" if gone.date else "by one report"
        copy = f"; a copy is {gone.survives}" if gone.survives else ""
        rebuilt = f"; build it from {gone.rebuild}" if gone.rebuild else ""
        fix = f"set images.registry to a registry that has it{copy}{rebuilt}; `llmdgen images` lists them all"
        yield found("spec", "release", says=f"{gone.says} ({reported})", fix=fix)


def withdrawn(plan: Plan) -> list[Withdrawn]:
    """What the deployment would pull and its registry no longer serves."""
    asked = plan.spec.asked.images
    theirs = {
        "scheduler": asked.scheduler is None,
        "routing_sidecar": asked.sidecar is None and plan.sidecar is not None,
        "tokenizer": plan.scheduler.tokenizer,
    }
    gone = plan.release.withdrawn.items() if asked.registry is None else ()
    return [each for name, each in gone if theirs.get(name)]


@rule("IMG003", "warning", "pull secrets that the scheduler does not get")
def scheduler_has_its_pull_secret(plan: Plan) -> Iterator[Draft]:
    """No router chart takes pull secrets: the scheduler's pod pulls as its node may, or by those of its ServiceAccount.

    Fails:  `{images: {pullSecrets: [registry]}}`.
    Passes: `{images: {registry: 111122223333.dkr.ecr.us-east-1.amazonaws.com/llm-d}}`, from which the nodes' role may
            pull; the finding suppressed, once the ServiceAccount has the secret.
    """
    secrets = plan.spec.asked.images.pull_secrets
    if secrets:
        patch = f"kubectl -n {plan.names.namespace} patch serviceaccount {plan.names.scheduler_service}"
        names = ", ".join(f'{{"name": "{each}"}}' for each in secrets)
        says = f"the chart {plan.release.charts['router'].name} gives the scheduler's pod no pull secret"
        fix = f"give it to its ServiceAccount after the first apply: {patch} -p '{{\"imagePullSecrets\": [{names}]}}'"
        yield found(*_AT, "pullSecrets", says=says, fix=fix)
