"""Weights for scorers that the same paths do not have any more in a later release."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.api import draft, targets
from llmdgen.facts.upgrades import moves, steps
from llmdgen.findings import Located, Route, SpecError
from llmdgen.spec.load import parse
from llmdgen.spec.model import Spec
from llmdgen.upgrade.edits import CannotEdit, Editor
from llmdgen.upgrade.rules import BY_HAND, CHANGES, said

_WEIGHTS: Route = ("spec", "scheduler", "weights")


def drop_weights(editor: Editor, spec: Spec, release: str) -> Iterator[Located]:
    """Remove, from a document that names its release already, weights that were for a scorer and now are for none.

    A weight that never was for one is a mistake, which the checks find.
    """
    weights = editor.get(_WEIGHTS)
    if not isinstance(weights, dict):
        return
    try:
        (new,) = parse(editor.text, spec.path)
        before, after = (
            {scorer.name for target in targets(each) for scorer in draft(each, target).scheduler.scorers}
            for each in (spec, new)
        )
    except SpecError:
        return
    why = _why(spec.spec.release, release)
    for name in [name for name in weights if name in before - after]:
        route = (*_WEIGHTS, name)
        place = spec.locate(route, True)
        reason = why.get(name) or f"{' and '.join(sorted(after)) or 'nothing'} takes its place"
        try:
            editor.remove(route)
            editor.check()
        except CannotEdit as error:
            yield said(
                BY_HAND, place, route, f"the weight of {name} cannot be removed here: {error}", "remove it", True
            )
        else:
            says = f"the weight of {name} is gone, for {release} has no such scorer here: {reason}"
            yield said(CHANGES, place, route, says, "", True)


def _why(start: str, end: str) -> dict[str, str]:
    """What the steps between say of scorers that are gone."""
    taken = (moves(each) for each in steps(start, end) or ())
    return {name: says for step in taken if step is not None for name, says in step.weights.items()}
