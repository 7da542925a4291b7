"""Every image of a deployment, in one place: the release's, from another registry, or the spec's own."""

from __future__ import annotations

from llmdgen.facts.types import ModelServer, Release
from llmdgen.planning.model import Images
from llmdgen.spec.model import Images as Asked


def images(asked: Asked, release: Release) -> Images:
    """References of all images. `asked.registry` holds for those that the spec gives no reference of."""
    tokenizer = release.images.get("tokenizer")
    own = asked.model_server if asked.model_server not in release.model_servers else None
    return Images(
        model_server=own or mirrored(model_server(asked, release).image, asked.registry),
        scheduler=asked.scheduler or mirrored(release.images["scheduler"], asked.registry),
        sidecar=asked.sidecar or mirrored(release.images["routing_sidecar"], asked.registry),
        tokenizer=mirrored(tokenizer, asked.registry) if tokenizer else None,
        pull_secrets=asked.pull_secrets,
    )


def model_server(asked: Asked, release: Release) -> ModelServer:
    """What is in the model server's image: the variant that the spec names, or of which its own reference is a copy by
    its name; else the release's choice."""
    if asked.model_server in release.model_servers:
        return release.model_servers[asked.model_server]
    name = repository(asked.model_server or "").rpartition("/")[2]
    for variant in release.model_servers.values():
        if name and repository(variant.image).rpartition("/")[2] == name:
            return variant
    return release.model_server()


def mirrored(image: str, registry: str | None) -> str:
    """An image of the same name, tag and digest in another registry."""
    return image if registry is None else f"{registry}/{image.rpartition('/')[2]}"


def repository(image: str) -> str:
    """A reference without its tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def split(image: str) -> tuple[str, str, str]:
    """Registry with organisation, name, and tag as Helm charts want them: a digest stands behind the tag."""
    registry, _, last = image.partition("@")[0].rpartition("/")
    name, _, tag = last.partition(":")
    digest = image.partition("@")[2]
    return registry, name, f"{tag}@{digest}" if digest else tag
