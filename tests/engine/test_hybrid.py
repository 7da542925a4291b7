"""The hybrid KV cache manager: what lacks it is the release's own fact, and forcing it on there stops the engine."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from tests.specs import GPT_OSS, plan_of

FORCED = {"args": {"disable-hybrid-kv-cache-manager": False}}
PLACE = ("spec", "engine", "args", "disable-hybrid-kv-cache-manager")


@pytest.mark.parametrize(
    ("release", "path", "more", "stops"),
    [
        ("v0.5.1", "pd-disaggregation", {}, True),
        ("v0.6.0", "precise-prefix-cache", {}, True),
        ("v0.6.0", "inference-scheduling", {}, False),
        ("v0.9.0", "pd-disaggregation", {}, False),
        ("v0.9.0", "precise-prefix-cache", {}, False),
        ("v0.9.0", "tiered-prefix-cache", {}, False),
        ("v0.9.0", "tiered-prefix-cache", {"cache": {"cpu": {"connector": "lmcache"}}}, True),
        ("v0.9.0", "pd-disaggregation", {"with_": ["tiered-prefix-cache"]}, False),
    ],
)
def test_forcing_it_on_stops_the_engine_where_something_lacks_it(
    release: str, path: str, more: dict[str, Any], stops: bool
) -> None:
    plan = plan_of(path, GPT_OSS, release=release, engine=FORCED, **more)
    found = {each.finding.at for each in api.check(plan) if each.finding.code == "VLLM015"}
    assert found == ({PLACE} if stops else set())
