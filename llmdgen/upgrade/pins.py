"""Images that the values of a spec pin: they stay those of the release before, whatever the release says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.facts.catalogue import release as facts_of
from llmdgen.findings import Located, Route
from llmdgen.spec.model import Spec
from llmdgen.upgrade.rules import CHANGES, said

_SCHEDULER_TAG = ("spec", "values", "gaie", "inferenceExtension", "image", "tag")


def pinned_images(spec: Spec, release: str) -> Iterator[Located]:
    """A note for each image of the spec's release that its values name, and that the other release has not."""
    current = spec.spec.release
    before, after = facts_of(current).images, facts_of(release).images
    follows = {old: after[what] for what, old in before.items() if after.get(what, old) != old}
    tags = {
        old.rpartition(":")[2]: new.rpartition(":")[2] for old, new in follows.items() if old == before["scheduler"]
    }
    values = spec.spec.values
    for chart, tree in (("infra", values.infra), ("gaie", values.gaie), ("ms", values.ms)):
        for route, text in _texts(tree, ("spec", "values", chart)):
            new = tags.get(text) if route == _SCHEDULER_TAG else follows.get(text)
            if new is not None:
                what = f"the scheduler's tag {text}" if route == _SCHEDULER_TAG else text
                says = f"the values pin {what}, of llm-d {current}, and llm-d {release} has {new}"
                yield said(CHANGES, spec.locate(route), route, says, "remove it, or name the new one")


def _texts(value: Any, route: Route) -> Iterator[tuple[Route, str]]:
    if isinstance(value, str):
        yield route, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*route, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*route, index))
