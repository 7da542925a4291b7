"""Connections: vLLM keeps idle ones for longer than the sidecar in front of it."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from llmdgen.objects import objects
from llmdgen.objects.chart import servers_of
from tests.specs import plan_of

KEEP_ALIVE = "VLLM_HTTP_TIMEOUT_KEEP_ALIVE"
PATHS = ("inference-scheduling", "pd-disaggregation", "tiered-prefix-cache", "precise-prefix-cache")


@pytest.mark.parametrize("release", ["v0.5.1", "v0.6.0", "v0.9.0"])
@pytest.mark.parametrize("path", PATHS)
def test_every_server_keeps_idle_connections_for_longer_than_a_sidecar(release: str, path: str) -> None:
    plan = plan_of(path, release=release)
    engines = servers_of(plan, objects(plan)).engines
    assert {vllm.variables[KEEP_ALIVE] for vllm in engines} == {"120"}
    assert "VER112" not in {each.finding.code for each in api.check(plan)}


@pytest.mark.parametrize(
    ("sections", "at"),
    [
        ({"engine": {"env": {KEEP_ALIVE: "5"}}}, ("spec", "engine", "env", KEEP_ALIVE)),
        ({"decode": {"env": {KEEP_ALIVE: "90"}}}, ("spec", "decode", "env", KEEP_ALIVE)),
    ],
)
def test_a_shorter_time_is_a_warning_where_it_is_set(sections: dict[str, Any], at: tuple[str, ...]) -> None:
    found = [each.finding for each in api.check(plan_of("pd-disaggregation", **sections))]
    assert {each.at for each in found if each.code == "VER112"} == {at}
