from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

ReportOf = Callable[[str, Any], str]


@pytest.mark.parametrize(
    "zone",
    [
        "us-east-1a",
        "us-gov-west-1b",
        "us-iso-east-1c",
        "ap-southeast-3a",
        "us-east-1-bos-1a",
        "us-east-1-wl1-bos-wlz-1",
    ],
)
def test_zones_and_local_zones_are_taken(zone: str, report_of: ReportOf) -> None:
    assert report_of("spec.cluster.zone", zone) == ""


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("us-east-1", "is a region, not an availability zone (fix: add the zone's letter, such as us-east-1a)"),
        ("use1-az1", "is a zone's id"),
        ("US-EAST-1A", "(fix: write us-east-1a)"),
        ("a", "(fix: write the zone's name, such as us-east-1a)"),
    ],
)
def test_what_is_no_zone_is_named(zone: str, told: str, report_of: ReportOf) -> None:
    assert told in report_of("spec.cluster.zone", zone)


@pytest.mark.parametrize(
    ("key", "value"), [("a", ""), ("a.b/c_D.e", "x.Y_z-1"), ("a" * 63, "b" * 63), (f"{'a.' * 126}a/b", "c")]
)
def test_node_labels_are_taken(key: str, value: str, report_of: ReportOf) -> None:
    assert report_of("spec.cluster.nodeSelector", {key: value}) == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("", "a"),
        ("/a", "a"),
        ("a/", "a"),
        ("A.b/c", "a"),
        ("a b", "a"),
        ("a" * 64, "a"),
        ("a/b/c", "a"),
        (f"{'a' * 254}/b", "c"),
    ],
)
def test_what_no_node_label_is_called_is_refused(key: str, value: str, report_of: ReportOf) -> None:
    assert "cannot be the key of a node label" in report_of("spec.cluster.nodeSelector", {key: value})


@pytest.mark.parametrize("value", ["a b", "-a", "a_", "b" * 64, "ü"])
def test_what_no_node_label_holds_is_refused(value: str, report_of: ReportOf) -> None:
    assert "cannot be the value of a node label" in report_of("spec.cluster.nodeSelector", {"a": value})


@pytest.mark.parametrize("role", ["prefill", "decode", "engine"])
@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("--max-num-seqs", "write max-num-seqs"),
        ("max_num_seqs", "write max-num-seqs"),
        ("max num seqs", "write max-num-seqs"),
        ("-tp", "write tp"),
        ("max-num-seqs=3", "write max-num-seqs and the value after a colon"),
        ("--speculative_config.num_tokens", "write speculative-config.num_tokens"),
        ("ü", "write the flag's name in letters and digits"),
        ("", "write the flag's name in letters and digits"),
    ],
)
def test_a_flag_has_one_spelling(role: str, key: str, fix: str, report_of: ReportOf) -> None:
    told = report_of(f"spec.{role}.args", {key: 1})
    assert "SPEC017" in told
    assert f"(fix: {fix}" in told


@pytest.mark.parametrize("key", ["max-num-seqs", "O3", "compilation-config.pass_config.fuse_norm"])
def test_flags_and_keys_of_their_values_are_taken(key: str, report_of: ReportOf) -> None:
    assert report_of("spec.engine.args", {key: {"any": [None]}}) == ""


@pytest.mark.parametrize("key", ["", "1A", "A-B", "A.B", "A B", "Ä", "A=B", "A\n"])
def test_what_no_environment_variable_is_called_is_refused(key: str, report_of: ReportOf) -> None:
    assert "SPEC016" in report_of("spec.decode.env", {key: "x"})


@pytest.mark.parametrize(
    "route",
    [
        "metadata.name",
        "metadata.namespace",
        "spec.model.name",
        "spec.model.uri",
        "spec.cluster.zone",
        "spec.model.config",
    ],
)
def test_a_name_has_no_line_break(route: str, report_of: ReportOf, full: dict[str, Any]) -> None:
    node: Any = full
    for key in route.split("."):
        node = node[key]
    assert "holds a line break" in report_of(route, f"{node}\n")


def test_values_of_flags_and_variables_may_have_several_lines(report_of: ReportOf) -> None:
    assert report_of("spec.decode.env", {"A": "b\nc\n"}) == ""


@pytest.mark.parametrize(
    "toleration",
    [{"operator": "Exists"}, {"key": "a"}, {"key": "a", "value": "b", "effect": "NoSchedule"}],
)
def test_tolerations_of_kubernetes_are_taken(toleration: dict[str, Any], report_of: ReportOf) -> None:
    assert report_of("spec.cluster.tolerations", [toleration]) == ""


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "a", "operator": "Exists", "value": "b"},
        {"effect": "NoSchedule"},
        {"operator": "Equal", "value": "a"},
        {"key": "a", "tolerationSeconds": 1},
        {"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1},
    ],
)
def test_tolerations_that_the_api_server_refuses_are_refused(toleration: dict[str, Any], report_of: ReportOf) -> None:
    assert "SPEC021" in report_of("spec.cluster.tolerations", [toleration])
