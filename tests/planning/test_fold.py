"""Contributions of several paths as one."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Connector, Contribution, EnvVar, Scorer, Volume
from llmdgen.composition.fold import CONFLICT, fold

FIRST = Contribution(
    path="first",
    args={"block-size": 16, "seed": 1},
    env=(EnvVar(name="A", value="1"),),
    scorers=(Scorer(type="queue-scorer", name="queue-scorer", weight=2),),
    connectors=(Connector(name="NixlConnector", serves="transfer"),),
    block_size=16,
    memory_mib={"decode": 10},
    startup_minutes=30,
)


def _second(**changes: Any) -> Contribution:
    return Contribution(path="second", **changes)


def test_one_contribution_stays_what_it_is() -> None:
    folded, conflicts = fold([FIRST], set())
    assert conflicts == []
    assert (folded.args, folded.env, folded.scorers) == (FIRST.args, FIRST.env, FIRST.scorers)
    assert (folded.connectors, folded.block_size, folded.startup_minutes) == (FIRST.connectors, 16, 30)


def test_a_flag_set_differently_is_a_conflict_that_names_both_paths() -> None:
    _, conflicts = fold([FIRST, _second(args={"seed": 2})], set())
    assert [(found.code, found.at) for found in conflicts] == [(CONFLICT.code, ("spec", "with"))]
    assert conflicts[0].says == "first and second set seed differently"


def test_a_variable_set_differently_is_a_conflict_too() -> None:
    _, conflicts = fold([FIRST, _second(env=(EnvVar(name="A", value="2"),))], set())
    assert [found.says for found in conflicts] == ["first and second set A differently"]


def test_what_the_spec_settles_is_no_conflict() -> None:
    other = _second(args={"seed": 2}, env=(EnvVar(name="A", value="2"),))
    assert fold([FIRST, other], {"seed", "A"})[1] == []


def test_agreement_is_no_conflict() -> None:
    folded, conflicts = fold([FIRST, _second(args={"seed": 1}, env=FIRST.env)], set())
    assert conflicts == []
    assert folded.env == FIRST.env


def test_the_largest_block_and_the_longest_start_win_and_memory_adds_up() -> None:
    folded, _ = fold(
        [FIRST, _second(block_size=128, startup_minutes=60, memory_mib={"decode": 5, "prefill": 1})], set()
    )
    assert (folded.block_size, folded.startup_minutes) == (128, 60)
    assert folded.memory_mib == {"decode": 15, "prefill": 1}


def test_connectors_and_volumes_keep_the_order_of_the_paths() -> None:
    other = _second(
        connectors=(
            Connector(name="OffloadingConnector", serves="tier"),
            Connector(name="NixlConnector", serves="again"),
        ),
        volumes=(Volume(name="kv", mount_path="/kv", source={"emptyDir": {}}),),
    )
    folded, _ = fold([FIRST, other], set())
    assert [(each.name, each.serves) for each in folded.connectors] == [
        ("NixlConnector", "transfer"),
        ("OffloadingConnector", "tier"),
    ]
    assert [each.name for each in folded.volumes] == ["kv"]


def test_a_scorer_comes_once_with_the_weight_of_the_first() -> None:
    folded, _ = fold([FIRST, _second(scorers=(Scorer(type="queue-scorer", name="queue-scorer", weight=9),))], set())
    assert [(each.name, each.weight) for each in folded.scorers] == [("queue-scorer", 2)]


def test_a_replaced_prefix_scorer_stays_where_the_decider_reads_it() -> None:
    prefix = Contribution(path="p", scorers=(Scorer(type="prefix-cache-scorer", name="prefix-cache-scorer", weight=1),))
    precise = _second(replaces=("prefix-cache-scorer",))
    assert fold([prefix, precise], set())[0].scorers == ()
    kept = fold([prefix, precise, Contribution(path="d", non_cached_tokens=16)], set())[0].scorers
    assert [each.name for each in kept] == ["prefix-cache-scorer"]
    always = fold([prefix, precise, Contribution(path="d", non_cached_tokens=0)], set())[0].scorers
    assert always == ()
