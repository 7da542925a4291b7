"""Every image of a deployment, in one place."""

from __future__ import annotations

from llmdgen.facts.types import Release
from llmdgen.planning.model import Images


def images(release: Release) -> Images:
    """The release's own images."""
    return Images(
        model_server=release.images["model_server"],
        scheduler=release.images["scheduler"],
        sidecar=release.images["routing_sidecar"],
        tokenizer=release.images.get("tokenizer"),
    )
