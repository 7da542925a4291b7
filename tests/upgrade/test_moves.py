"""The steps between releases agree with the tables of both: nothing named that is not there, nothing left unsaid."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from llmdgen.checks.helm import Tree, read_paths
from llmdgen.engine.facts import variables
from llmdgen.engine.flags import flag_table
from llmdgen.facts.catalogue import release_names, release_toml
from llmdgen.facts.upgrades import Move, Moves, moves, newest, steps
from llmdgen.upgrade.decide import type_of

STEPS = [(name, step) for name in release_names() if (step := moves(name)) is not None]
NAMES = {"spec", "name", "namespace", "target", "old_route", "old_pool", "old_gateway"}
NAMES |= {"new_name", "new_pool", "new_gateway"}
CHARTS = ("router",)
each_step = pytest.mark.parametrize(("release", "step"), STEPS, ids=lambda each: each if isinstance(each, str) else "")


def test_every_release_but_the_first_says_how_to_get_there() -> None:
    first, *later = release_names()
    assert moves(first) is None
    assert [name for name, _ in STEPS] == later
    assert all(steps(first, name) for name in later)


def test_the_newest_release_is_one_that_no_other_begins_from() -> None:
    assert newest() == release_names()[-1]
    assert steps("v0.5.1", "v0.6.0") == ("v0.6.0",)
    assert steps("v0.5.1", "v0.9.0") == ("v0.6.0", "v0.9.0")
    assert steps("v0.6.0", "v0.6.0") == ()
    assert steps("v0.6.0", "v0.5.1") is None


@each_step
def test_what_a_vllm_drops_is_named(release: str, step: Moves) -> None:
    old, new = flag_table(step.since), flag_table(release)
    gone = set(old.flags) - set(new.flags)
    gone |= {path for path in _keys(step.since) if path.partition(".")[0] in new.flags} - set(_keys(release))
    assert gone == set(step.flags)
    assert {name for name in variables(step.since) if name not in variables(release)} == set(step.environment)


@each_step
def test_values_that_are_dropped_were_accepted(release: str, step: Moves) -> None:
    for name, choices in step.choices.items():
        for value in choices:
            assert value in flag_table(step.since).flags[name].choices
            assert value not in flag_table(release).flags[name].choices


@each_step
def test_every_new_place_is_read(release: str, step: Moves) -> None:
    for move in _moves(step):
        for path in (*([move.to] if move.to else []), *move.also):
            assert type_of(release, path), path
    for path, move in step.settings.items():
        chart, inside = _chart(path)
        if chart:
            assert _reads(read_paths(step.since, chart), inside), path
            assert not _reads(read_paths(release, chart), inside), path
            assert not move.to or _reads(read_paths(release, chart), _chart(move.to)[1]), move.to


@each_step
def test_value_paths_that_a_chart_no_longer_reads_are_named(release: str, step: Moves) -> None:
    named: dict[str, list[str]] = {chart: [] for chart in CHARTS}
    for setting in step.settings:
        chart, inside = _chart(setting)
        if chart:
            named[chart].append(inside)
    for chart in CHARTS:
        tree = read_paths(release, chart)
        for path in _paths(read_paths(step.since, chart)):
            is_named = any(path == top or path.startswith(f"{top}.") for top in named[chart])
            assert is_named or _reads(tree, path), f"{chart} {path}"


@each_step
def test_what_a_person_decides_has_a_reason_and_a_fix(release: str, step: Moves) -> None:
    for move in (*_moves(step), *step.settings.values()):
        assert move.is_safe or (move.says and move.fix)


@each_step
def test_prose_about_defaults_is_about_defaults_that_change(release: str, step: Moves) -> None:
    for path in step.defaults:
        assert _default(step.since, path) != _default(release, path)


def _chart(path: str) -> tuple[str, str]:
    """The chart that a path below spec is a value of, and the path in its values; empty where it is none."""
    top, _, rest = path.partition(".")
    chart, _, inside = rest.partition(".") if top == "values" else ("", "", "")
    return chart, inside


def _moves(step: Moves) -> Iterator[Move]:
    """Those whose new place is a flag."""
    yield from step.flags.values()
    yield from step.environment.values()
    for choices in step.choices.values():
        yield from choices.values()


def _keys(release: str) -> Iterator[str]:
    table = flag_table(release)
    for name, flag in table.flags.items():
        for key in table.configs.get(flag.config or "", {}):
            yield f"{name}.{key}"


def _default(release: str, path: str) -> object:
    name, _, key = path.partition(".")
    table = flag_table(release)
    flag = table.flags[name]
    return table.configs[flag.config or ""][key].default if key else flag.default


def _paths(tree: Tree, above: str = "") -> Iterator[str]:
    for key, inner in tree.items():
        path = f"{above}.{key}" if above else key
        yield from _paths(inner, path) if inner else (path,)


def _reads(tree: Tree, path: str) -> bool:
    """Whether the chart reads that path, something below it, or all of what is above it."""
    for part in path.split("."):
        if part not in tree:
            return not tree
        tree = tree[part]
    return True


@each_step
def test_prose_about_weights_is_about_plugins_of_the_release_before(release: str, step: Moves) -> None:
    assert set(step.weights) <= set(release_toml(step.since, "plugins.toml")["plugins"])


@each_step
def test_the_way_to_a_replacement_names_what_is_filled_in(release: str, step: Moves) -> None:
    for each in step.replacement.steps if step.replacement is not None else ():
        for text in (each.title, each.says, *each.commands):
            names = set(re.findall(r"\{([a-z_]+)\}", text))
            assert names <= NAMES, text
            assert "target" not in names or text in each.commands
