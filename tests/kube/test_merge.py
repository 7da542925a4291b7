"""A part of a PodSpec merged into a PodSpec: what each rule gives, and what holds for every merge."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdgen.kube.merge import BadPatch, merge
from tests.kube.pods import patch, pod

POD = {
    "containers": [
        {"name": "vllm", "args": ["a", "b"], "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"name": "sidecar", "ports": [{"containerPort": 8000, "name": "http"}]},
    ],
    "volumes": [{"name": "cache", "emptyDir": {"medium": "Memory"}}, {"name": "shm", "emptyDir": {}}],
    "nodeSelector": {"zone": "a", "team": "x"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
}


@pytest.mark.parametrize(
    ("change", "at", "gives"),
    [
        ({"nodeSelector": {"zone": "b"}}, ("nodeSelector",), {"zone": "b", "team": "x"}),
        ({"nodeSelector": {"zone": None}}, ("nodeSelector",), {"team": "x"}),
        ({"nodeSelector": {"$patch": "replace", "zone": "b"}}, ("nodeSelector",), {"zone": "b"}),
        ({"nodeSelector": {"$patch": "delete"}}, ("nodeSelector",), {}),
        ({"nodeSelector": {"$retainKeys": ["zone"], "zone": "b"}}, ("nodeSelector",), {"zone": "b"}),
        ({"tolerations": [{"key": "spot"}]}, ("tolerations",), [{"key": "spot"}]),
        ({"containers": [{"name": "vllm", "args": ["c"]}]}, ("containers", 0, "args"), ["c"]),
        (
            {"containers": [{"name": "vllm", "env": [{"name": "C", "value": "3"}, {"name": "A", "value": "9"}]}]},
            ("containers", 0, "env"),
            [{"name": "A", "value": "9"}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
        ),
        (
            {"containers": [{"name": "vllm", "env": [{"name": "A", "$patch": "delete"}]}]},
            ("containers", 0, "env"),
            [{"name": "B", "value": "2"}],
        ),
        (
            {"containers": [{"name": "vllm", "env": [{"$patch": "replace"}, {"name": "C", "value": "3"}]}]},
            ("containers", 0, "env"),
            [{"name": "C", "value": "3"}],
        ),
        (
            {"containers": [{"name": "sidecar", "ports": [{"containerPort": 8000, "name": "api"}]}]},
            ("containers", 1, "ports"),
            [{"containerPort": 8000, "name": "api"}],
        ),
        ({"containers": [{"name": "x"}]}, ("containers", 2), {"name": "x"}),
        ({"volumes": [{"name": "cache", "hostPath": {"path": "/kv"}}]}, ("volumes", 0, "hostPath"), {"path": "/kv"}),
        (
            {"volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}]},
            ("volumes", 0, "emptyDir"),
            {"medium": "Memory", "sizeLimit": "1Gi"},
        ),
    ],
)
def test_each_rule_of_a_merge(change: dict[str, Any], at: tuple[str | int, ...], gives: Any) -> None:
    value: Any = merge(POD, change).value
    for part in at:
        value = value[part]
    assert value == gives


def test_a_volume_never_has_two_sources() -> None:
    merged = merge(POD, {"volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "kv"}}]}).value
    assert merged["volumes"][0] == {"name": "cache", "persistentVolumeClaim": {"claimName": "kv"}}


@pytest.mark.parametrize(
    ("change", "route", "says"),
    [
        ({"$setElementOrder/containers": []}, ("$setElementOrder/containers",), "there is no directive"),
        ({"containers": [{"image": "x"}]}, ("containers", 0), "has no name, by which"),
        ({"containers": [{"$patch": "delete"}]}, ("containers", 0), "has no name, by which"),
        ({"containers": [{"name": "x", "$patch": "replace"}]}, ("containers", 0), "replaces the whole list"),
        ({"nodeSelector": {"$patch": "merge"}}, ("nodeSelector", "$patch"), "merge is not replace or delete"),
        ({"nodeSelector": {"$retainKeys": ["a"], "b": "c"}}, ("nodeSelector", "b"), "does not name it"),
        ({"nodeSelector": {"$retainKeys": "a"}}, ("nodeSelector", "$retainKeys"), "not a list of keys"),
        ({"tolerations": [{"$patch": "delete", "key": "gpu"}]}, ("tolerations", 0), "no item of it can be deleted"),
    ],
)
def test_what_kubernetes_would_refuse_is_refused_at_its_place(
    change: dict[str, Any], route: tuple[str | int, ...], says: str
) -> None:
    with pytest.raises(BadPatch, match=says.replace("$", r"\$")) as refused:
        merge(POD, change)
    assert refused.value.route == route


def test_origins_lead_to_the_patch() -> None:
    change = {
        "containers": [
            {"name": "new", "image": "x"},
            {"name": "sidecar", "$patch": "delete"},
            {"name": "vllm", "env": [{"name": "C", "value": "3"}, {"name": "B", "value": None}]},
        ],
        "nodeSelector": {"zone": None},
    }
    merged = merge(POD, change)
    assert [each["name"] for each in merged.value["containers"]] == ["vllm", "new"]
    assert merged.origins[("containers", 1, "image")] == ("containers", 0, "image")
    assert merged.origins[("containers", 0, "env", 2, "value")] == ("containers", 2, "env", 0, "value")
    assert merged.origins[("containers", 0, "env", 1, "value")] == ("containers", 2, "env", 1, "value")
    assert merged.origins[("nodeSelector", "zone")] == ("nodeSelector", "zone")
    of_the_base = {(), ("containers",), ("containers", 0), ("containers", 0, "args"), ("containers", 0, "env", 1)}
    assert of_the_base & merged.origins.keys() == set()


@given(st.randoms(use_true_random=False))
def test_a_patch_changes_nothing_a_second_time(random: Random) -> None:
    base = pod(random)
    change = patch(random, base)
    before = json.dumps([base, change])
    once = merge(base, change).value
    assert merge(once, change).value == once
    assert json.dumps([base, change]) == before, "neither is changed"


@given(st.randoms(use_true_random=False))
def test_a_pod_takes_itself_and_the_empty_patch(random: Random) -> None:
    base = pod(random)
    assert merge(base, {}).value == base
    assert merge(base, deepcopy(base)).value == base
    assert merge({}, base).value == base


@given(st.randoms(use_true_random=False))
def test_null_deletes_every_key(random: Random) -> None:
    base = pod(random)
    assert merge(base, dict.fromkeys(base)).value == {}


@given(st.randoms(use_true_random=False))
def test_items_keep_the_order_of_the_base_and_new_ones_come_last(random: Random) -> None:
    base, change = pod(random), pod(random)
    old = [each["name"] for each in base.get("containers", [])]
    new = [each["name"] for each in change.get("containers", []) if each["name"] not in old]
    merged = merge(base, change).value
    assert [each["name"] for each in merged.get("containers", [])] == [*old, *new]


@given(st.randoms(use_true_random=False))
def test_every_origin_holds_what_the_merge_took(random: Random) -> None:
    base = pod(random)
    change = patch(random, base)
    merged = merge(base, change)
    for route, source in merged.origins.items():
        given, taken = _at(change, source), _at(merged.value, route)
        assert isinstance(given, dict | list) or given == taken, (route, source)


def _at(value: Any, route: tuple[str | int, ...]) -> Any:
    for part in route:
        try:
            value = value[part]
        except (KeyError, IndexError):
            return None
    return value
