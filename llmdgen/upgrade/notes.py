"""What a later release changes though no setting moves for it: scorers, images of the spec's own, vLLM's defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdgen.api import draft, targets
from llmdgen.engine.flags import flag_table
from llmdgen.facts.catalogue import release as facts_of
from llmdgen.facts.upgrades import Moves, Note, moves, steps
from llmdgen.findings import Located, Route, SpecError
from llmdgen.planning.model import Plan
from llmdgen.spec.load import parse
from llmdgen.spec.model import Spec
from llmdgen.untyped import at
from llmdgen.upgrade.decide import keys_of
from llmdgen.upgrade.edits import CannotEdit, Editor, scalar
from llmdgen.upgrade.rules import BY_HAND, CHANGES, noted

_PATH: Route = ("spec", "path")
_WEIGHTS: Route = ("spec", "scheduler", "weights")
_MODEL_SERVER = "model_server"
_IMAGES = {"modelServer": _MODEL_SERVER, "scheduler": "scheduler", "sidecar": "routing_sidecar"}


def drop_weights(editor: Editor, spec: Spec, release: str) -> Iterator[Located]:
    """Remove, from a document that names its release already, weights that were for a scorer and now are for none. One
    that never was is a mistake, which the checks find."""
    weights = editor.get(_WEIGHTS)
    if not isinstance(weights, dict):
        return
    try:
        before, after = (
            {scorer for target in targets(each) for scorer in draft(each, target).scheduler.scorers}
            for each in (spec, *parse(editor.text, spec.path))
        )
    except SpecError:
        return
    why = {name: says for step in _between(spec.asked.release, release) for name, says in step.weights.items()}
    for name in [name for name in weights if name in before - after]:
        route = (*_WEIGHTS, name)
        reason = why.get(name) or f"{' and '.join(sorted(after)) or 'nothing'} takes its place"
        says, fix, rule = f"is gone, for {release} has no such scorer here: {reason}", "", CHANGES
        try:
            editor.remove(route)
        except CannotEdit as error:
            says, fix, rule = f"cannot be removed here: {error}", "remove it", BY_HAND
        yield noted(rule, spec, route, f"the weight of {name} {says}", fix, True)


def own_images(spec: Spec, release: str) -> Iterator[Located]:
    """Images that the spec names itself: those of its release of before, and others than the new one's. Bases count."""
    for field, kind in _IMAGES.items():
        reference = at(spec.said, "spec", "images", field)
        if not isinstance(reference, str) or "/" not in reference:  # a variant by its name
            continue
        before, after = _images(spec.asked.release, kind), _images(release, kind)
        if _last(reference) not in after:
            route = ("spec", "images", field)
            says = f"spec.images.{field} is {reference}, and {release} has {' or '.join(after)}"
            fix = f"set it to {after[0]} of a registry that has it, or leave it out"
            yield noted(BY_HAND if _last(reference) in before else CHANGES, spec, route, says, fix)


def _images(release: str, kind: str) -> list[str]:
    """A release's images of one kind, the default first, without registry and organisation."""
    facts = facts_of(release)
    images = [facts.model_server().image, *(each.image for each in facts.model_servers.values())]
    return list(dict.fromkeys(map(_last, images if kind == _MODEL_SERVER else [facts.images[kind]])))


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def changed_defaults(plan: Plan, since: str) -> Iterator[Located]:
    """What the plan's vLLM takes for a flag, or for a key in the JSON of one, that the plan leaves to it, where the
    vLLM of the release before took something else."""
    old, new = flag_table(since), flag_table(plan.release.name)
    prose = {path: note for step in _between(since, plan.release.name) for path, note in step.defaults.items()}

    def note(route: Route, path: str, name: str, was: Any, now: Any) -> Iterator[Located]:
        if was == now or not (was or now):  # nothing and false are one default
            return
        says = f"{name} is not set, and vLLM {plan.release.vllm} takes {scalar(now)} where it took {scalar(was)}"
        more = prose.get(path, Note(says=""))
        yield noted(CHANGES, plan.spec, route, f"{says}: {more.says}".removesuffix(": "), more.fix)

    for role in plan.roles:
        for name, flag in new.flags.items():
            before, given = old.get(name), role.flags.get(name)
            if before is not None and given is None:
                yield from note(_PATH, name, f"--{name}", before.default, flag.default)
            elif before is not None and isinstance(given, Mapping):
                keys, route = keys_of(since, name), role.flag_routes.get(name, _PATH)
                for key, field in keys_of(plan.release.name, name).items():
                    if key in keys and key not in given:
                        yield from note(route, f"{name}.{key}", f"{key} of --{name}", keys[key].default, field.default)


def _between(start: str, end: str) -> list[Moves]:
    """The steps from one release to another."""
    return [step for each in steps(start, end) or () if (step := moves(each)) is not None]
