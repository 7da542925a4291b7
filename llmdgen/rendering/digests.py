"""Digests of what a render read: they say why a rendered file is stale, and nothing else depends on them."""

from __future__ import annotations

import os
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from llmdgen.resources import fact, read_fact
from llmdgen.spec.model import Spec

if TYPE_CHECKING:
    from hashlib import _Hash as Hash


def spec_digest(spec: Spec) -> str:
    """sha256 over what a spec says; comments, order and layout do not count."""
    said = {"metadata": spec.metadata, "spec": spec.asked}
    return sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


@cache
def facts_digest(release: str, model: str) -> str:
    """sha256 over the facts of a release and of a model, and what every render shares."""
    total = sha256()
    for folder in (fact(), fact("releases", release), fact("instances")):
        with os.scandir(folder) as entries:
            files = sorted((each.name, each.path) for each in entries if each.is_file())
        for name, path in files:
            _add(total, name, path)
    known = fact("models", f"{model.replace('/', '--')}.toml")
    if os.path.isfile(known):
        _add(total, os.path.basename(known), known)
    return total.hexdigest()


def _add(total: Hash, name: str, path: str) -> None:
    """Name and content of a file, told apart from the next one's."""
    data = read_fact(path)
    total.update(f"{name}\0{len(data)}\0".encode() + data)
