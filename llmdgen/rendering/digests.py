"""Digests of what a render read: they say why a rendered file is stale, and nothing else depends on them."""

from __future__ import annotations

import os
from functools import cache
from hashlib import sha256

import msgspec

from llmdgen.resources import fact, read_fact
from llmdgen.spec.model import Spec


def spec_digest(spec: Spec) -> str:
    """sha256 over what a spec says; comments, order and layout do not count."""
    said = {"metadata": spec.metadata, "spec": spec.asked}
    return sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


@cache
def facts_digest(release: str, model: str) -> str:
    """sha256 over the facts of a release and of a model, and what every render shares: names and contents of files,
    each told apart from the next one's."""
    total = sha256()
    paths = [fact("models", f"{model.replace('/', '--')}.toml")]
    for folder in (fact("instances"), fact("releases", release), fact()):
        paths[:0] = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    for path in filter(os.path.isfile, paths):
        data = read_fact(path)
        total.update(f"{os.path.basename(path)}\0{len(data)}\0".encode() + data)
    return total.hexdigest()
