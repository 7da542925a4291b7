"""Digests of what a render read: they say why a rendered file is stale, and nothing else depends on them."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import msgspec

from llmdgen.resources import FACTS
from llmdgen.spec.model import Spec


def spec_digest(spec: Spec) -> str:
    """sha256 over what a spec says; comments, order and layout do not count."""
    said = {"metadata": spec.metadata, "spec": spec.spec}
    return sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


@cache
def facts_digest(release: str, model: str) -> str:
    """sha256 over the facts of a release and of a model, and what every render shares."""
    total = sha256()
    for folder, pattern in (
        (FACTS, "*.*"),
        (FACTS / "releases" / release, "*"),
        (FACTS / "instances", "*"),
        (FACTS / "models", f"{model.replace('/', '--')}.toml"),
    ):
        for file in sorted(folder.glob(pattern)):
            if file.is_file():
                total.update(file.name.encode() + b"\0" + sha256(file.read_bytes()).digest())
    return total.hexdigest()
