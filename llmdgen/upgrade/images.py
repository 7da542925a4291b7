"""Images of the spec's own, which stay as they are when the release changes around them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.facts.catalogue import release as facts_of
from llmdgen.findings import Located
from llmdgen.spec.model import Spec
from llmdgen.upgrade.rules import BY_HAND, CHANGES, said

_MODEL_SERVER = "model_server"
_FIELDS = {"modelServer": _MODEL_SERVER, "scheduler": "scheduler", "sidecar": "routing_sidecar"}


def own_images(spec: Spec, release: str) -> Iterator[Located]:
    """References that are the release's of before, and others than the new release's. Bases count."""
    for field, image in _FIELDS.items():
        reference = spec.said.get("spec", {}).get("images", {}).get(field)
        if not isinstance(reference, str) or "/" not in reference:  # a variant by its name
            continue
        before, after = _images(spec.spec.release, image), _images(release, image)
        last = _last(reference)
        if last in after:
            continue
        route = ("spec", "images", field)
        says = f"spec.images.{field} is {reference}, and {release} has {' or '.join(after)}"
        fix = f"set it to {after[0]} of a registry that has it, or leave it out"
        rule = BY_HAND if last in before else CHANGES
        yield said(rule, spec.locate(route), route, says, fix)


def _images(release: str, name: str) -> list[str]:
    """A release's images of one kind, the default first, without registry and organisation."""
    facts = facts_of(release)
    images = [facts.model_server().image, *(each.image for each in facts.model_servers.values())]
    return list(dict.fromkeys(map(_last, images if name == _MODEL_SERVER else [facts.images[name]])))


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
