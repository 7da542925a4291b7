"""Which settings of a document a step to a release is about, as its upgrade.toml says, and what becomes of each: edited
where that is safe, else said with its reason and its fix. And what changes though no setting moves for it: scorers,
images of the spec's own, vLLM's defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct

from llmdgen.api import draft, targets
from llmdgen.engine.flags import ConfigField, flag_table
from llmdgen.facts.catalogue import release as facts_of
from llmdgen.facts.upgrades import Move, Moves, Note, moves, steps
from llmdgen.findings import Located, Route, SpecError
from llmdgen.planning.model import Plan
from llmdgen.spec.fields import ROLES
from llmdgen.spec.load import parse
from llmdgen.spec.model import Spec
from llmdgen.untyped import at, mapping
from llmdgen.upgrade.edits import CannotEdit, Editor, scalar
from llmdgen.upgrade.rules import BY_HAND, CHANGES, noted

SECTIONS = ("engine", "prefill", "decode")
_FLAG_DEPTH = len(("spec", "engine", "args", "all2all-backend"))
_RELEASE: Route = ("spec", "release")
_PATH: Route = ("spec", "path")
_WEIGHTS: Route = ("spec", "scheduler", "weights")
_MODEL_SERVER = "model_server"
_IMAGES = {"modelServer": _MODEL_SERVER, "scheduler": "scheduler", "sidecar": "routing_sidecar"}


class Case(Struct, frozen=True):
    """A setting at a route of the spec, called `name` in words, and what becomes of it; `root` is the route below which
    the move's `to` and `also` are read."""

    route: Route
    name: str
    move: Move
    root: Route

    @property
    def target(self) -> Route:
        return (*self.root, *self.move.to.split("."))

    @property
    def is_variable(self) -> bool:
        return "env" in self.route[:3]


def cases(data: Any, step: Moves) -> Iterator[Case]:
    """Every setting of the document's data that a step is about."""
    for path, move in step.settings.items():
        route = ("spec", *path.split("."))
        holder = mapping(at(data, *route[:-1]))
        if route[-1] in holder and move.when in (UNSET, holder[route[-1]]):
            yield Case(route, f"spec.{path}", move, ("spec",))
    for section in SECTIONS:
        args, env = ("spec", section, "args"), ("spec", section, "env")
        for name in mapping(at(data, *env)):
            if name in step.environment:
                yield Case((*env, name), name, step.environment[name], args)
        for name, value in mapping(at(data, *args)).items():
            chosen = step.choices.get(name, {}).get(value) if isinstance(value, str) else None
            if of_flag := step.flags.get(name) or chosen:
                yield Case((*args, name), f"--{name}", of_flag, args)
            for key in mapping(value):
                if of_key := step.flags.get(f"{name}.{key}"):
                    yield Case((*args, name, key), f"{key} of --{name}", of_key, args)


def type_of(release: str, path: str) -> str:
    """The type of a flag or of a key in its JSON, as the release's tables have it; empty where they have it not."""
    name, _, key = path.partition(".")
    found = keys_of(release, name).get(key) if key else flag_table(release).get(name)
    return found.type if found is not None else ""


def keys_of(release: str, flag: str) -> dict[str, ConfigField]:
    """The keys in the JSON of a flag; none where there is no such flag, or no JSON."""
    table = flag_table(release)
    found = table.get(flag)
    return table.configs.get(found.config or "", {}) if found else {}


class _ByHand(Exception):
    """A setting that is left to a person: why, and what to do."""


def take_step(editor: Editor, spec: Spec, release: str, step: Moves) -> Iterator[Located]:
    """Edit the document for a release, `spec.release` aside; what is worth saying of it."""
    for case in tuple(cases(editor.data, step)):
        try:
            _settle(editor, case, release)
        except CannotEdit as error:
            fix = f"change it by hand: {in_words(case)}"
            yield noted(BY_HAND, spec, case.route, f"{case.name} cannot be changed here: {error}", fix, True)
        except _ByHand as error:
            says, fix = error.args
            yield noted(BY_HAND, spec, case.route, says, fix, True)
        else:
            if case.move.says:
                yield noted(CHANGES, spec, case.route, f"{case.name}: {case.move.says}", case.move.fix, True)
    for note in step.notes:
        route = ("spec", *note.at.split(".")) if note.at else _RELEASE
        there = editor.get(route)
        if not note.at or (there is not None and note.value in (UNSET, there)):
            yield noted(CHANGES, spec, route, note.says, note.fix)


def set_release(editor: Editor, spec: Spec, release: str) -> Iterator[Located]:
    """Name the release, behind the path where it was not named."""
    try:
        editor.put(_RELEASE, release, after=_PATH)
    except CannotEdit as error:
        says = f"spec.release cannot be set here: {error}"
        yield noted(BY_HAND, spec, _RELEASE, says, f"write release: {release} under spec by hand")


def _settle(editor: Editor, case: Case, release: str) -> None:
    """Edit one setting. Raises _ByHand and CannotEdit."""
    move = case.move
    if not move.is_safe:
        raise _ByHand(f"{case.name}: {move.says}", move.fix)
    if move.remove:
        editor.remove(case.route)
        return
    value = _value(editor, case, release)
    if not move.to:
        editor.put(case.route, value)
        return
    also = {(*case.root, *path.split(".")): wanted for path, wanted in move.also.items()}
    wanted = {case.target: editor.get(case.route) if value is UNSET else value, **also}
    for route, new in wanted.items():
        if editor.has(route) and editor.get(route) != new:  # another value there is not ours to decide about
            where, there = ".".join(map(str, route)), scalar(editor.get(route))
            says = f"{case.name} becomes {where}: {scalar(new)}, and {where} is {there} already"
            raise _ByHand(says, "keep one of them, and remove the other")
    if case.is_variable:
        _refuse_overridden(editor, case, wanted)
    if editor.has(case.target):
        editor.remove(case.route)
    else:
        editor.move(case.route, case.target, value)
    for route, new in also.items():
        if not editor.has(route):
            editor.put(route, new, before=case.target)


def _value(editor: Editor, case: Case, release: str) -> Any:
    """The value at the new place; UNSET where it stays as it is written."""
    if case.move.value is not UNSET or not case.is_variable:
        return case.move.value
    text = editor.get(case.route)
    kind = type_of(release, case.move.to)
    if kind in ("bool", "switch"):
        return text == "1"  # so did vLLM read the variables that are settings of these kinds now
    try:
        return int(text) if kind == "int" else text
    except ValueError:
        fix = f"set {case.move.to} under args to one, and remove it"
        raise _ByHand(f"{case.name} is not a whole number", fix) from None


def _refuse_overridden(editor: Editor, case: Case, wanted: dict[Route, Any]) -> None:
    """A variable of every role and one of a role hold side by side. Flags do not: a role's own flag takes the place of
    the flag of every role, the whole of its JSON included."""
    section = str(case.route[1])
    for route, value in wanted.items():
        flag, is_key = str(route[3]), len(route) > _FLAG_DEPTH
        for other in ROLES if section == "engine" else ("engine",):
            there = editor.get(("spec", other, "args", flag))
            if there is None or (not is_key and there == value):
                continue
            if section == "engine":
                is_lost, does = is_key or not editor.has(("spec", other, *case.route[2:])), "not"
            else:
                is_lost, does = is_key and not editor.has((*case.root, flag)), "replace"
            if is_lost:
                says = f"{case.name} holds beside spec.{other}.args.{flag}, which the flag that it becomes would {does}"
                raise _ByHand(says, f"write one {flag} for each role, and remove {case.name}")


def in_words(case: Case) -> str:
    """What to do about a setting, as one would tell a person."""
    move = case.move
    if not move.is_safe:
        return move.fix
    if move.remove:
        return "remove it"
    if not move.to:
        return f"write {scalar(move.value)}"
    places = (".".join(map(str, (*case.root, path))) for path in (move.to, *move.also))
    return f"{' and '.join(f'set {place}' for place in places)}, remove it"


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
