"""Defaults of vLLM that change between two releases, where a plan relies on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdgen.engine.flags import flag_table
from llmdgen.facts.upgrades import Note, moves, steps
from llmdgen.findings import Located, Route
from llmdgen.planning.model import Plan
from llmdgen.upgrade.rules import CHANGES, said
from llmdgen.upgrade.tree import scalar

_PATH: Route = ("spec", "path")


def changed_defaults(plan: Plan, since: str) -> Iterator[Located]:
    """What the plan's vLLM takes for a flag, or for a key in the JSON of one, that the plan leaves to it, where the
    vLLM of the release before took something else."""
    release = plan.release.name
    old, new = flag_table(since), flag_table(release)
    prose = _prose(since, release)
    for role in plan.roles:
        for name, flag in new.flags.items():
            before = old.get(name)
            if before is None:
                continue
            at = role.flag_routes.get(name, _PATH)
            given = role.flags.get(name)
            if given is None and _differs(before.default, flag.default):
                yield _note(plan, _PATH, f"--{name}", before.default, flag.default, prose.get(name, Note(says="")))
            if not isinstance(given, Mapping):
                continue
            keys = old.configs.get(before.config or "", {})
            for key, field in new.configs.get(flag.config or "", {}).items():
                if key in keys and key not in given and _differs(keys[key].default, field.default):
                    note = prose.get(f"{name}.{key}", Note(says=""))
                    yield _note(plan, at, f"{key} of --{name}", keys[key].default, field.default, note)


def _differs(before: Any, now: Any) -> bool:
    """Whether two defaults mean another thing; nothing and false do not."""
    return before != now and bool(before or now)


def _prose(since: str, release: str) -> dict[str, Note]:
    """What the steps between say of changed defaults."""
    taken = (moves(each) for each in steps(since, release) or ())
    return {path: note for step in taken if step is not None for path, note in step.defaults.items()}


def _note(plan: Plan, at: Route, name: str, before: Any, now: Any, note: Note) -> Located:
    says = f"{name} is not set, and vLLM {plan.release.vllm} takes {scalar(now)} where it took {scalar(before)}"
    return said(CHANGES, plan.spec.locate(at), at, f"{says}: {note.says}" if note.says else says, note.fix)
