"""Cache tiers: bytes of each engine and of each rank's process, and where they are kept."""

from __future__ import annotations

import pytest

from llmdgen.findings import SpecError
from tests.specs import GPT_OSS, QWEN, plan_of, role_of

PATH = "tiered-prefix-cache"
GIB = 2**30


def _extra(plan_flags: dict[str, object]) -> dict[str, object]:
    transfer = plan_flags["kv-transfer-config"]
    assert isinstance(transfer, dict)
    return dict(transfer["kv_connector_extra_config"])


@pytest.mark.parametrize(("tensor", "data", "each"), [(2, 1, 400), (2, 4, 100), (1, 2, 200)])
def test_offloading_is_told_the_bytes_of_one_engine_for_all_its_ranks(tensor: int, data: int, each: int) -> None:
    plan = plan_of(
        PATH, decode={"replicas": 1, "parallelism": {"tensor": tensor, "data": data}}, cache={"cpu": {"size": "400Gi"}}
    )
    assert _extra(role_of(plan, "decode").flags) == {"cpu_bytes_to_use": each * GIB}


@pytest.mark.parametrize(("tensor", "data", "each"), [(2, 1, "200"), (2, 4, "50"), (8, 1, "50"), (1, 3, "133.333")])
def test_lmcache_is_told_the_gigabytes_of_one_ranks_process(tensor: int, data: int, each: str) -> None:
    plan = plan_of(
        PATH,
        decode={"replicas": 1, "parallelism": {"tensor": tensor, "data": data}},
        cache={"cpu": {"connector": "lmcache", "size": "400Gi"}, "disk": {"size": "400Gi"}},
    )
    values = {variable.name: variable.value for variable in role_of(plan, "decode").env}
    assert values["LMCACHE_MAX_LOCAL_CPU_SIZE"] == values["LMCACHE_MAX_LOCAL_DISK_SIZE"] == each
    assert (values["LMCACHE_LOCAL_CPU"], values["LMCACHE_LOCAL_DISK"]) == ("True", "file:///tmp/kv-disk/")


def test_the_container_has_the_memory_that_the_tier_takes() -> None:
    small = plan_of(PATH, decode={"parallelism": {"tensor": 2}}, cache={"cpu": {"size": "10Gi"}})
    large = plan_of(PATH, decode={"parallelism": {"tensor": 2}}, cache={"cpu": {"size": "110Gi"}})
    assert role_of(large, "decode").need.memory_mib - role_of(small, "decode").need.memory_mib == 100 * 1024


def test_disk_or_storage_choose_lmcache_and_keep_the_order_of_speed() -> None:
    plan = plan_of(PATH, cache={"storage": {"claim": "kv"}, "disk": {}})
    assert [tier.name for tier in plan.tiers] == ["cpu", "disk", "storage"]
    assert {tier.connector for tier in plan.tiers} == {"LMCacheConnectorV1"}
    volumes = [volume.name for volume in role_of(plan, "decode").volumes]
    assert volumes == ["shm", "caches", "kv-disk", "kv-storage", "model-storage"]
    values = {variable.name: variable.value for variable in role_of(plan, "decode").env}
    assert values["LMCACHE_REMOTE_URL"] == "fs://localhost:0/mnt/kv-storage"


@pytest.mark.parametrize("release", ["v0.5.1", "v0.9.0"])
def test_disk_and_storage_are_directories_of_the_deployment(release: str) -> None:
    plan = plan_of(PATH, release=release, cache={"storage": {"claim": "kv"}, "disk": {}})
    kept = {volume.name: volume.own_directory for volume in role_of(plan, "decode").volumes if volume.own_directory}
    assert kept == {"kv-disk": "demo", "kv-storage": "demo"}


def test_the_transfer_is_asked_before_the_tier() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, with_=[PATH])
    for role in plan.roles:
        transfer = role.flags["kv-transfer-config"]
        assert (transfer["kv_connector"], transfer["kv_role"]) == ("MultiConnector", "kv_both")
        children = transfer["kv_connector_extra_config"]["connectors"]
        assert [(each["kv_connector"], each["kv_role"]) for each in children] == [
            ("NixlConnector", "kv_both"),
            ("OffloadingConnector", "kv_both"),
        ]
        assert children[0]["kv_connector_extra_config"]["backends"] == ["LIBFABRIC"]
        assert children[1]["kv_connector_extra_config"]["cpu_bytes_to_use"] == plan.tiers[0].bytes[role.name]


@pytest.mark.parametrize(
    ("path", "cache"),
    [
        ("pd-disaggregation", {"cpu": {"size": "1Gi"}}),
        (PATH, {"cpu": {"connector": "offloading"}, "disk": {}}),
        (PATH, {"cpu": {"connector": "offloading"}, "storage": {"claim": "kv"}}),
    ],
)
def test_tiers_that_do_not_go_together_are_an_error(path: str, cache: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="PATH004"):
        plan_of(path, QWEN, cache=cache)


def test_blocks_of_an_mla_model_are_as_large_as_the_scheduler_counts_them_on_every_gpu() -> None:
    plan = plan_of(PATH, "nvidia/DeepSeek-V3.1-NVFP4", "p4de.24xlarge")
    assert role_of(plan, "decode").flags["block-size"] == 64
    plugins = plan.scheduler.config["plugins"]
    (cpu,) = [each for each in plugins if each.get("name") == "cpu-prefix-cache-scorer"]
    assert cpu["parameters"]["blockSizeTokens"] == 64
    assert "block-size" not in role_of(plan_of(PATH), "decode").flags


def test_files_of_vllm_are_kept_to_their_size_and_lmcache_keeps_its_own() -> None:
    sized = {"disk": {"size": "1Ti"}, "storage": {"claim": "kv", "size": "2Ti"}}
    kept = [each for each in role_of(plan_of(PATH, release="v0.9.0", cache=sized), "decode").volumes if each.keeps]
    assert {each.name: each.keeps["decode"] for each in kept} == {"kv-disk": 1 << 40, "kv-storage": 2 << 40}
    lmcache = role_of(plan_of(PATH, release="v0.6.0", cache=sized), "decode")
    assert not any(each.keeps for each in lmcache.volumes)


@pytest.mark.parametrize(
    ("size", "data", "held"), [("64Gi", 1, 64), ("100Gi", 1, 128), ("129Gi", 1, 256), ("100Gi", 2, 128)]
)
def test_pinned_memory_is_rounded_up_to_powers_of_two_of_each_rank(size: str, data: int, held: int) -> None:
    shape = {"replicas": 1, "parallelism": {"tensor": 2, "data": data}}
    plan = plan_of(PATH, QWEN, release="v0.9.0", decode=shape, cache={"cpu": {"size": size}})
    assert role_of(plan, "decode").need.memory_mib == (96 + held) * 1024


@pytest.mark.parametrize("release", ["v0.6.0", "v0.9.0"])
def test_a_tier_in_files_of_shared_memory_and_an_older_one_take_what_they_hold(release: str) -> None:
    cache = {"cpu": {"size": "100Gi"}, **({"disk": {}} if release == "v0.9.0" else {})}
    role = role_of(plan_of(PATH, QWEN, release=release, cache=cache), "decode")
    assert role.need.memory_mib == ((96 if release == "v0.9.0" else 100) + 100) * 1024
    assert role.shm == ("120Gi" if release == "v0.9.0" else "20Gi")


def test_the_size_that_a_plan_chooses_is_pinned_without_waste_and_fills_shared_memory_to_a_gibibyte() -> None:
    pinned, filed = (
        plan_of(PATH, QWEN, release="v0.9.0", cache=cache).tiers[0].bytes["decode"] // GIB
        for cache in ({}, {"disk": {}})
    )
    assert (pinned, filed) == (128, 189)
    assert filed * 5 // 2 * 4 <= 1894, "the tier is 0.4 of the pod's share of what p5.48xlarge can allocate"
