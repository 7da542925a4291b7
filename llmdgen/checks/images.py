"""Images: pinned, and those of the release."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.kube.container import image_name
from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, found, rule

# A registry and path in lower case, then a tag, a digest, or both.
_REFERENCE = re.compile(r"[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*(:[\w][\w.-]{0,127})?(@sha256:[a-f0-9]{64})?")
_MOVING = ("latest", "main", "master", "nightly", "dev", "edge")


@rule("VER050", "error", "an image is not pinned")
def images_are_pinned(servers: Servers) -> Iterator[Draft]:
    """An image without a tag, or with one that moves, is another image tomorrow: pods of one Deployment then run
    different vLLM versions, and what was verified is not what runs.

    Fails:  ghcr.io/llm-d/llm-d-aws:latest, ghcr.io/llm-d/llm-d-aws; /llm-d-aws:v0.5.1, which no registry can hold.
    Passes: ghcr.io/llm-d/llm-d-aws:v0.5.1, or a digest.
    """
    for workload in servers.workloads:
        for container in workload.containers:
            name, at_sign, _digest = container.image.partition("@")
            tag = name.rpartition("/")[2].partition(":")[2]
            pinned = _REFERENCE.fullmatch(container.image) and (at_sign or (tag and tag not in _MOVING))
            if not pinned:
                yield found(
                    *container.route,
                    "image",
                    says=f"{container.image or 'no image'} of container {container.name} is not pinned",
                    fix="give the image a version's tag or a digest",
                    of=workload.manifest,
                )


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


def _last(image: str) -> str:
    """The image without its registry and organisation: llm-d-aws:v0.5.1."""
    return image.rpartition("/")[2]
