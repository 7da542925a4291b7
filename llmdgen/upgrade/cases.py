"""Which settings of a document a step to a release is about: what its upgrade.toml names, and what its vLLM lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct

from llmdgen.engine.facts import variables
from llmdgen.engine.flags import ConfigField, flag_table
from llmdgen.facts.upgrades import Move, Moves
from llmdgen.findings import Route
from llmdgen.untyped import at, mapping

SECTIONS = ("engine", "prefill", "decode")
_PREFIX = "VLLM_"  # vLLM's own variables; of others nobody has a list


class Case(Struct, frozen=True):
    """A setting at a route of the spec, called `name` in words, and what becomes of it.

    `root` is the route below which the move's `to` and `also` are read.
    """

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


def cases(data: Any, release: str, step: Moves) -> Iterator[Case]:
    """Every setting of the document's data that the step to this release is about."""
    for path, move in step.settings.items():
        route = ("spec", *path.split("."))
        holder = mapping(at(data, *route[:-1]))
        if route[-1] in holder and move.when in (UNSET, holder[route[-1]]):
            yield Case(route, f"spec.{path}", move, ("spec",))
    for section in SECTIONS:
        yield from _variables(data, section, release, step)
        yield from _flags(data, section, release, step)


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


def _variables(data: Any, section: str, release: str, step: Moves) -> Iterator[Case]:
    args = ("spec", section, "args")
    for name in mapping(at(data, "spec", section, "env")):
        move = step.environment.get(name)
        if move is None and name.startswith(_PREFIX) and name in variables(step.since).keys() - variables(release):
            says = f"vLLM {flag_table(release).vllm} does not read it"
            move = Move(says=says, fix="remove it, or set the flag that takes its place")
        if move is not None:
            yield Case(("spec", section, "env", name), name, move, args)


def _flags(data: Any, section: str, release: str, step: Moves) -> Iterator[Case]:
    args = ("spec", section, "args")
    old, new = flag_table(step.since), flag_table(release)
    gone = f"vLLM {new.vllm} does not have it"
    for name, value in mapping(at(data, *args)).items():
        move = step.flags.get(name)
        if move is None and name in old.flags and name not in new.flags:
            move = Move(says=gone, fix="remove it; `llmdgen explain FLAG` knows every flag")
        choice = step.choices.get(name, {}).get(value) if isinstance(value, str) else None
        if move is not None or choice is not None:
            yield Case((*args, name), f"--{name}", move or choice or Move(), args)
            continue
        for key in mapping(value):
            move = step.flags.get(f"{name}.{key}")
            if move is None and key in keys_of(step.since, name) and key not in keys_of(release, name):
                move = Move(says=gone, fix="remove it")
            if move is not None:
                yield Case((*args, name, key), f"{key} of --{name}", move, args)
