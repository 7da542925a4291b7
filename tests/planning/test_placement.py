"""Pods on nodes, against brute force and against what no placement can beat."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmdgen.facts.types import Efa, Gpu, Instance
from llmdgen.kube.node import room_on
from llmdgen.kube.room import UNLIMITED, Need, fitting, most_blocked, nodes_for, placed, sure_nodes
from llmdgen.objects.pod import PREFERRED, pod_spec
from tests.specs import GPT_OSS, plan_of

NODE = Need(8, 16, 16000, 64, UNLIMITED)
NEEDS = st.builds(
    Need,
    st.integers(min_value=1, max_value=8),
    st.integers(min_value=0, max_value=16),
    st.integers(min_value=1, max_value=16000),
    st.integers(min_value=1, max_value=64),
)


@settings(max_examples=300)
@given(st.lists(st.tuples(NEEDS, st.integers(min_value=1, max_value=2000)), min_size=1, max_size=2))
def test_nodes_are_never_over_committed(pods: list[tuple[Need, int]]) -> None:
    nodes = nodes_for(pods, NODE)
    for used, room in zip(_sums(pods), (NODE.gpus, NODE.efa, 16000, 64), strict=True):
        assert nodes >= -(-used // room)


@settings(max_examples=300)
@given(st.lists(st.tuples(NEEDS, st.integers(min_value=1, max_value=40)), min_size=1, max_size=3))
def test_counted_nodes_are_those_of_first_fit_pod_by_pod(pods: list[tuple[Need, int]]) -> None:
    free: list[Need] = []
    for need, count in sorted(pods, reverse=True):
        for _ in range(count):
            place = next((index for index, room in enumerate(free) if _fits(need, room)), None)
            if place is None:
                free.append(Need(8, 16, 16000, 64))
                place = len(free) - 1
            free[place] = _less(free[place], need)
    assert nodes_for(pods, NODE) == len(free)


@settings(max_examples=60)
@given(st.lists(NEEDS, min_size=1, max_size=6))
def test_small_cases_take_at_most_two_nodes_for_every_one_of_the_best(needs: list[Need]) -> None:
    found, best = nodes_for([(need, 1) for need in needs], NODE), _fewest(tuple(needs))
    assert best <= found <= 2 * best


@given(NEEDS)
def test_equal_pods_fill_a_node_up_to_its_scarcest_resource(need: Need) -> None:
    count, scarce = fitting(need, NODE)
    sums = {
        "GPUs": (need.gpus, 8),
        "EFA interfaces": (need.efa, 16),
        "cpu": (need.cpu_millis, 16000),
        "memory": (need.memory_mib, 64),
    }
    assert all(each * count <= room for each, room in sums.values())
    each, room = sums[scarce]
    assert each * (count + 1) > room


def test_what_aws_does_not_state_limits_nothing() -> None:
    instance = Instance(
        name="x",
        architecture="amd64",
        vcpus=8,
        memory_gib=64,
        gpu=Gpu(model="H100", count=8),
        efa=Efa(interfaces=16),
        sources=("none",),
    )
    assert fitting(Need(1, 2, 10**9, 10**9), room_on(instance, "x")) == (8, "GPUs")


def test_prefill_and_decode_share_a_node_that_has_room_for_both() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, prefill={"replicas": 2})
    assert [(pool.nodes, pool.gpus_used, pool.efa_used) for pool in plan.pools] == [(1, 8, 32)]


def test_roles_on_other_hardware_have_nodes_of_their_own() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, prefill={"instanceType": "p5en.48xlarge"})
    assert [(pool.instance, pool.nodes, pool.efa_used) for pool in plan.pools] == [
        ("p5en.48xlarge", 1, 8),
        ("p5.48xlarge", 1, 16),
    ]
    assert plan.target == "p5en.48xlarge_p5.48xlarge"


def test_large_pods_are_placed_first() -> None:
    large, small = Need(8, 0, 0, 0), Need(1, 0, 0, 0)
    assert placed([(small, 4), (large, 1)], [large, Need(4, 0, 0, 0)]) == 5


@pytest.mark.parametrize(
    ("asks", "others", "blocked"),
    [
        (4, [(1, 2), (4, 2)], 2),  # 1 + 4 on each of two nodes leave 3
        (4, [(1, 1), (4, 2)], 1),
        (8, [(4, 4), (8, 1)], 5),  # each pod of half a node on another one
        (1, [(1, 7), (4, 2)], 1),
        (1, [(1, 8), (4, 2)], 2),
        (2, [(2, 7)], 1),
        (8, [(8, 1)], 1),
    ],
)
def test_small_pods_may_block_more_nodes_than_they_would_fill(
    asks: int, others: list[tuple[int, int]], blocked: int
) -> None:
    node = Need(8, UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED)
    assert most_blocked(Need(asks, 0, 0, 0), [(Need(gpus, 0, 0, 0), count) for gpus, count in others], node) == blocked


@settings(max_examples=200)
@given(NEEDS, st.lists(st.tuples(NEEDS, st.integers(min_value=1, max_value=12)), min_size=1, max_size=2), st.randoms())
def test_no_order_of_pods_blocks_more_nodes_than_counted(
    need: Need, others: list[tuple[Need, int]], random: Random
) -> None:
    waiting = [each for each, count in others for _ in range(count)]
    random.shuffle(waiting)
    nodes = [Need(8, 16, 16000, 64)] * (len(waiting) + 1)
    for each in waiting:
        index = random.choice([index for index, room in enumerate(nodes) if _fits(each, room)])
        nodes[index] = _less(nodes[index], each)
    assert sum(not _fits(need, room) for room in nodes) <= most_blocked(need, others, NODE)


@pytest.mark.parametrize(
    ("prefill", "decode", "nodes", "sure"),
    [
        ((2, 1), (3, 4), 2, 3),
        ((4, 4), (2, 8), 4, 6),
        ((2, 1), (2, 4), 2, 2),  # in any order 5 GPUs of each node are taken
        ((4, 4), (2, 4), 3, 3),
    ],
)
def test_more_nodes_are_sure_only_where_pods_are_of_two_sizes(
    prefill: tuple[int, int], decode: tuple[int, int], nodes: int, sure: int
) -> None:
    asked = [{"replicas": replicas, "parallelism": {"tensor": gpus}} for replicas, gpus in (prefill, decode)]
    plan = plan_of("pd-disaggregation", GPT_OSS, prefill=asked[0], decode=asked[1])
    assert [pool.nodes for pool in plan.pools] == [nodes]
    assert sure_nodes([(role.need, role.pods) for role in plan.roles], plan.roles[0].node.room) == sure
    near = [pod_spec(plan, role)["affinity"]["podAffinity"] for role in plan.roles]
    assert [PREFERRED in each for each in near] == [prefill[1] != decode[1]] * 2


def _sums(pods: list[tuple[Need, int]]) -> tuple[int, int, int, int]:
    return (
        sum(need.gpus * count for need, count in pods),
        sum(need.efa * count for need, count in pods),
        sum(need.cpu_millis * count for need, count in pods),
        sum(need.memory_mib * count for need, count in pods),
    )


def _fits(need: Need, room: Need) -> bool:
    return (
        need.gpus <= room.gpus
        and need.efa <= room.efa
        and need.cpu_millis <= room.cpu_millis
        and need.memory_mib <= room.memory_mib
    )


def _less(room: Need, need: Need) -> Need:
    return Need(
        room.gpus - need.gpus, room.efa - need.efa, room.cpu_millis - need.cpu_millis, room.memory_mib - need.memory_mib
    )


def _fewest(needs: tuple[Need, ...]) -> int:
    """The fewest nodes of all placements, by trying them."""

    @cache
    def place(index: int, rooms: tuple[Need, ...]) -> int:
        if index == len(needs):
            return len(rooms)
        need = needs[index]
        best = place(index + 1, tuple(sorted((*rooms, _less(Need(8, 16, 16000, 64), need)))))
        for at, room in enumerate(rooms):
            if _fits(need, room):
                best = min(best, place(index + 1, tuple(sorted((*rooms[:at], _less(room, need), *rooms[at + 1 :])))))
        return best

    return place(0, ())
