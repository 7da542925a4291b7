"""Contributions of several paths as one."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Connector, Contribution, EnvVar, Volume
from llmdgen.composition.fold import fold

FIRST = Contribution(
    path="first",
    args={"block-size": 16, "seed": 1},
    env=(EnvVar(name="A", value="1"),),
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
    assert (folded.args, folded.env) == (FIRST.args, FIRST.env)
    assert (folded.connectors, folded.block_size, folded.startup_minutes) == (FIRST.connectors, 16, 30)


def test_a_flag_set_differently_is_a_conflict_that_names_both_paths() -> None:
    _, conflicts = fold([FIRST, _second(args={"seed": 2})], set())
    assert [(found.code, found.at) for found in conflicts] == [("PATH001", ("spec", "with"))]
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


def test_a_flag_of_a_role_set_differently_is_a_conflict_that_names_both_paths_and_the_role() -> None:
    first = Contribution(path="first", role_args={"decode": {"enable-eplb": True}})
    other = _second(role_args={"decode": {"enable-eplb": False}, "prefill": {"enable-eplb": True}})
    folded, conflicts = fold([first, other], set())
    assert [found.says for found in conflicts] == ["first and second set enable-eplb of decode differently"]
    assert folded.role_args == {"decode": {"enable-eplb": True}, "prefill": {"enable-eplb": True}}
    assert fold([first, other], {"enable-eplb"})[1] == []


def test_a_flag_of_all_roles_and_one_of_a_role_conflict_too() -> None:
    first = Contribution(path="first", args={"seed": 1}, role_args={"decode": {"seed": 2}})
    assert fold([first], set())[1] == []
    _, conflicts = fold([first, _second(role_args={"prefill": {"seed": 3}})], set())
    assert [found.says for found in conflicts] == ["first and second set seed differently"]


def test_connectors_of_one_name_and_other_settings_are_a_conflict() -> None:
    first = Contribution(path="first", connectors=(Connector(name="N", serves="a", extra={"backends": ["UCX"]}),))
    other = _second(connectors=(Connector(name="N", serves="b", extra={"backends": ["LIBFABRIC"]}),))
    folded, conflicts = fold([first, other], set())
    assert [found.says for found in conflicts] == ["first and second set connector N differently"]
    assert folded.connectors == first.connectors
    assert fold([first, other], {"kv-transfer-config"})[1] == []
    assert fold([first, _second(connectors=first.connectors)], set())[1] == []
