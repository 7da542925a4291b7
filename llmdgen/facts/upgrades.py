"""What a release needs of a spec of the release before it: releases/<tag>/upgrade.toml as types.

`from` names the release before it, so that releases make a chain and an upgrade over several is their steps in order.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from llmdgen.facts.catalogue import as_fact, release_names, release_toml
from llmdgen.resources import fact

FILE = "upgrade.toml"


class Move(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a setting.

    `to` is where it goes, `value` what it becomes there, where that is another; `also` are settings that it needs
    beside it. `remove` says that nothing is lost without it. With neither, a person decides: `fix` says what to do.
    `when` is the only value that all this is about. A path of dots leads into a flag's JSON value:
    `profiler-config.torch_profiler_dir`.
    """

    says: str = ""
    fix: str = ""
    to: str = ""
    value: Any | UnsetType = UNSET
    also: dict[str, Any] = {}
    remove: bool = False
    when: Any | UnsetType = UNSET

    @property
    def is_safe(self) -> bool:
        return bool(self.to) or self.remove or self.value is not UNSET


class Note(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something worth knowing. With `at`, a path of dots below `spec`, it is said where the spec has that key, and with
    `value`, where it has that value."""

    says: str
    fix: str = ""
    at: str = ""
    value: Any | UnsetType = UNSET


class ReplacementStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of the way from the old deployment to the new one.

    Texts may name {spec}, {name}, {namespace}, {old_route}, {old_pool}, {old_gateway} and, of the new deployment,
    {new_name}, {new_pool}, {new_gateway}; a command may name {target}, and is there for each. With `providers`,
    `multinode` or `disaggregated`, the step is for such deployments alone.
    """

    title: str
    says: str = ""
    commands: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    multinode: bool = False
    disaggregated: bool = False


class Replacement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a deployment of the release before cannot become one of this release, and the way that keeps serving."""

    why: str
    steps: tuple[ReplacementStep, ...]


class Moves(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """One step, from the release `since`.

    `flags` are vLLM's flags without dashes, or keys in the JSON of one; `choices` values of a flag, by flag and value;
    `environment` variables of the container, whose new place is a flag; `settings` fields of the spec by their path
    below `spec`, whose new place is one too. `weights` says why scorers are gone that a weight may be for, and
    `defaults` what a changed default of a flag, or of a key in its JSON, means.
    """

    since: str
    sources: tuple[str, ...]
    flags: dict[str, Move] = {}
    choices: dict[str, dict[str, Move]] = {}
    environment: dict[str, Move] = {}
    settings: dict[str, Move] = {}
    weights: dict[str, str] = {}
    defaults: dict[str, Note] = {}
    notes: tuple[Note, ...] = ()
    replacement: Replacement | None = None


@cache
def moves(release: str) -> Moves | None:
    """The step to a release, None for the first that llmdgen knows."""
    file = fact("releases", release, FILE)
    return as_fact(release_toml(release, FILE), Moves, file) if os.path.isfile(file) else None


def steps(start: str, end: str) -> tuple[str, ...] | None:
    """The releases from the one after `start` to `end`, None where no chain leads there."""
    found: list[str] = []
    while end != start:
        step = moves(end)
        if step is None or end in found:
            return None
        found.append(end)
        end = step.since
    return tuple(reversed(found))


def replacement(start: str, end: str) -> Replacement | None:
    """Why and how a deployment is replaced on the way between two releases, None where it is not. The last step's."""
    taken = (moves(each) for each in reversed(steps(start, end) or ()))
    return next((step.replacement for step in taken if step is not None and step.replacement is not None), None)


def newest() -> str:
    """The release that no other begins from."""
    names = release_names()
    before = {step.since for step in map(moves, names) if step is not None}
    return next((name for name in reversed(names) if name not in before), names[-1])
