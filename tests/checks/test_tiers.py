"""Cache tiers have the connector that fills them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.hardware import codes, the

TIERED = "tiered-prefix-cache"
MODEL = "Qwen/Qwen3-32B"
NIXL = {"kv_connector": "NixlConnector", "kv_role": "kv_both", "kv_connector_extra_config": {"backends": ["LIBFABRIC"]}}
OFFLOADING = {
    "kv_connector": "OffloadingConnector",
    "kv_role": "kv_both",
    "kv_connector_extra_config": {"cpu_bytes_to_use": 1 << 30},
}


def args(config: Any) -> dict[str, Any]:
    return {"engine": {"args": {"kv-transfer-config": config}}}


def test_another_connector_leaves_the_tier_empty() -> None:
    at, says, fix = the("FIT015", TIERED, "p5.48xlarge", MODEL, **args(NIXL))
    assert at == "spec.engine.args.kv-transfer-config.kv_connector"
    assert says == "decode has NixlConnector, and its cpu tier is filled by OffloadingConnector"
    assert fix.endswith("or name OffloadingConnector and this one inside a MultiConnector")


def test_no_connector_leaves_the_tier_empty() -> None:
    at, says, fix = the("FIT015", TIERED, "p5.48xlarge", MODEL, **args(None))
    assert at == "spec.engine.args.kv-transfer-config"
    assert (says, fix) == (
        "decode has no KV connector, and its cpu tier is filled by OffloadingConnector",
        "remove kv-transfer-config: the paths write it",
    )


@pytest.mark.parametrize(
    "config",
    [
        OFFLOADING,
        {
            "kv_connector": "MultiConnector",
            "kv_role": "kv_both",
            "kv_connector_extra_config": {"connectors": [NIXL, OFFLOADING]},
        },
        {**NIXL, "kv_connector": "MyConnector", "kv_connector_module_path": "my.module"},
    ],
)
def test_the_tiers_own_connector_is_enough(config: dict[str, Any]) -> None:
    assert "FIT015" not in codes(TIERED, "p5.48xlarge", MODEL, **args(config))


def test_what_the_path_writes_is_right() -> None:
    lmcache = {"cache": {"cpu": {"connector": "lmcache"}, "storage": {"claim": "kv"}}}
    for more in ({}, lmcache):
        assert "FIT015" not in codes(TIERED, "p5.48xlarge", MODEL, **more)
