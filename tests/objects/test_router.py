"""The router chart's values: what the spec says over them, and that any text stays a value."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from llmdgen.facts.catalogue import release, release_names
from llmdgen.objects.router import COMMENTS, overridden, router_values
from llmdgen.yaml_text import sections
from tests.specs import GPT_OSS, plan_of

VALUES = {"gateway": {"service": {"type": "ClusterIP"}, "list": ["a", "b"]}}


def test_maps_merge_lists_are_replaced_and_null_removes() -> None:
    override = {"gateway": {"service": {"type": "LoadBalancer", "port": 8080}, "list": None}, "new": ["x"]}
    found = overridden(VALUES, override)
    assert found == {"gateway": {"service": {"type": "LoadBalancer", "port": 8080}}, "new": ["x"]}
    assert VALUES == {"gateway": {"service": {"type": "ClusterIP"}, "list": ["a", "b"]}}, "it belongs to others too"


def test_a_map_takes_the_place_of_a_value_and_a_value_that_of_a_map() -> None:
    assert overridden(VALUES, {"gateway": {"service": "none", "list": {"a": 1}}}) == {
        "gateway": {"service": "none", "list": {"a": 1}}
    }


@pytest.mark.parametrize("name", release_names())
def test_the_scheduler_mounts_its_configuration_as_a_text(name: str) -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, "p5.48xlarge", release=name)
    values = router_values(plan)
    part: Any = values["inferenceExtension"] if "inferenceExtension" in values else values["router"]["epp"]
    assert yaml.safe_load(part["pluginsCustomConfig"][part["pluginsConfigFile"]]) == plan.scheduler.config


@pytest.mark.parametrize("name", release_names())
def test_the_text_reads_back_as_the_values_and_comments_stand_above_entries(name: str) -> None:
    awkward = {each: each for each in ("no", "1e3", "0x10", "12:30", "{{ x }}", "~", "a: b", "", "1_000", "a\nb")}
    plan = plan_of("precise-prefix-cache", GPT_OSS, "p5.48xlarge", release=name, values={"router": {"odd": awkward}})
    values = router_values(plan)
    text = sections(values, COMMENTS)
    assert values["odd"] == awkward
    assert yaml.safe_load(text) == YAML(typ="safe", pure=True).load(text) == values
    chart = release(name).charts["router"].name
    shown = [comment for route, comment in COMMENTS.items() if route[0] in values and f"# {comment}\n" in text]
    assert len(shown) > (chart == "inferencepool"), shown
