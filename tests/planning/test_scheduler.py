"""The endpoint picker's configuration of every combination of paths, as the scheduler's loader would take it."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen.facts import catalogue
from llmdgen.planning.model import Plan
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of, role_of

PLUGINS = catalogue.release_toml("v0.5.1", "plugins.toml")["plugins"]
TIERED, PRECISE, SPLIT = "tiered-prefix-cache", "precise-prefix-cache", "pd-disaggregation"
COMBINATIONS = [
    ("inference-scheduling", [], QWEN),
    ("inference-scheduling", [TIERED], QWEN),
    (SPLIT, [], GPT_OSS),
    (SPLIT, [TIERED], GPT_OSS),
    (SPLIT, [PRECISE], GPT_OSS),
    (SPLIT, [TIERED, PRECISE], GPT_OSS),
    (TIERED, [], QWEN),
    (PRECISE, [], QWEN),
    (PRECISE, [TIERED], QWEN),
    ("wide-ep", [], DEEPSEEK),
    ("wide-ep", [TIERED], DEEPSEEK),
]


def _config(plan: Plan) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return plan.scheduler.config["plugins"], plan.scheduler.config["schedulingProfiles"]


def plugin_of(plan: Plan, name: str) -> dict[str, Any]:
    """The plugin of that name in the plan's configuration."""
    return next(each for each in plan.scheduler.config["plugins"] if _name(each) == name)


def _name(plugin: dict[str, Any]) -> str:
    return str(plugin.get("name", plugin["type"]))


@pytest.mark.parametrize(("path", "others", "model"), COMBINATIONS)
def test_every_reference_leads_to_a_plugin_that_is_declared_before_it(path: str, others: list[str], model: str) -> None:
    plugins, profiles = _config(plan_of(path, model, with_=others))
    names = [_name(plugin) for plugin in plugins]
    assert len(names) == len(set(names))
    for place, plugin in enumerate(plugins):
        for key in PLUGINS[plugin["type"]].get("refers", ()):
            referred = plugin.get("parameters", {}).get(key)
            assert referred is None or referred in names[:place]
    for profile in profiles:
        assert {each["pluginRef"] for each in profile["plugins"]} <= set(names)


@pytest.mark.parametrize(("path", "others", "model"), COMBINATIONS)
def test_every_parameter_is_one_that_the_plugin_reads(path: str, others: list[str], model: str) -> None:
    for plugin in _config(plan_of(path, model, with_=others))[0]:
        assert set(plugin.get("parameters", {})) <= set(PLUGINS[plugin["type"]].get("parameters", ()))


@pytest.mark.parametrize(("path", "others", "model"), COMBINATIONS)
def test_every_scorer_has_a_weight_and_every_profile_one_picker(path: str, others: list[str], model: str) -> None:
    plugins, profiles = _config(plan_of(path, model, with_=others))
    kinds = {_name(plugin): PLUGINS[plugin["type"]]["kind"] for plugin in plugins}
    for profile in profiles:
        references = profile["plugins"]
        assert [kinds[each["pluginRef"]] for each in references].count("picker") == 1
        assert all(("weight" in each) == (kinds[each["pluginRef"]] == "scorer") for each in references)
    assert list(kinds.values()).count("handler") == 1


@pytest.mark.parametrize(("path", "others", "model"), [each for each in COMBINATIONS if each[0] in (SPLIT, "wide-ep")])
def test_disaggregation_has_two_profiles_and_a_decider_before_its_handler(
    path: str, others: list[str], model: str
) -> None:
    plan = plan_of(path, model, with_=others)
    plugins, profiles = _config(plan)
    assert [profile["name"] for profile in profiles] == ["prefill", "decode"]
    assert [profile["plugins"][0]["pluginRef"] for profile in profiles] == ["prefill-filter", "decode-filter"]
    handler = plugins[-1]
    assert handler["type"] == "pd-profile-handler"
    assert handler["parameters"]["deciderPluginName"] == _name(plugins[-2])


def test_deciding_by_prefix_needs_the_feature_gate_and_the_scorer() -> None:
    for others in ([], [TIERED], [PRECISE]):
        config = plan_of(SPLIT, GPT_OSS, with_=others).scheduler.config
        assert config["featureGates"] == ["prepareDataPlugins"]
        assert "prefix-cache-scorer" in [plugin["type"] for plugin in config["plugins"]]


def test_always_disaggregating_needs_neither() -> None:
    config = plan_of(SPLIT, GPT_OSS, scheduler={"nonCachedTokens": 0}).scheduler.config
    assert "featureGates" not in config
    assert "always-disagg-pd-decider" in [plugin["type"] for plugin in config["plugins"]]


def test_wide_expert_parallelism_picks_at_random() -> None:
    assert plan_of("wide-ep", DEEPSEEK).scheduler.scorers == {}


def test_weights_of_the_spec_win() -> None:
    plan = plan_of("inference-scheduling", scheduler={"weights": {"queue-scorer": 7.5}})
    assert plan.scheduler.scorers == {
        "queue-scorer": 7.5,
        "kv-cache-utilization-scorer": 2,
        "prefix-cache-scorer": 3,
    }


@pytest.mark.parametrize(("tensor", "data", "size"), [(2, 1, 100), (4, 1, 200), (2, 4, 400), (1, 1, 30)])
def test_the_cpu_scorer_counts_the_blocks_that_a_server_holds(tensor: int, data: int, size: int) -> None:
    plan = plan_of(
        TIERED,
        decode={"parallelism": {"tensor": tensor, "data": data}},
        cache={"cpu": {"connector": "lmcache", "size": f"{size}Gi"}},
    )
    scorer = plugin_of(plan, "cpu-prefix-cache-scorer")
    # Qwen3-32B: 64 layers x keys and values x 8 heads x 128 x 2 bytes, over all ranks, whatever the tensor size.
    block = 16 * 64 * 2 * 8 * 128 * 2
    assert scorer["parameters"]["lruCapacityPerServer"] == size * 2**30 // block
    assert scorer["parameters"]["blockSizeTokens"] == 16
    assert scorer["parameters"]["autoTune"] is False


def test_a_tier_holds_layers_with_a_window_in_full() -> None:
    plan = plan_of(TIERED, GPT_OSS, release="v0.9.0", cache={"cpu": {"size": "128Gi"}})
    memory = role_of(plan, "decode").memory_use
    assert memory is not None
    assert (memory.kv_bytes_per_token, memory.stored_bytes_per_token) == (18432, 36864)
    held = {_name(plugin): plugin["parameters"]["lruCapacityPerServer"] for plugin in _config(plan)[0][:2]}
    assert held["cpu-prefix-cache-producer"] == 128 * 2**30 // (36864 * 2 * 64)
    assert held["gpu-prefix-cache-producer"] == memory.kv_tokens // 64


def test_disaggregated_servers_count_by_the_smaller_of_the_two() -> None:
    plan = plan_of(SPLIT, GPT_OSS, with_=[TIERED])
    scorer = plugin_of(plan, "cpu-prefix-cache-scorer")
    tier = plan.tiers[0]
    assert scorer["parameters"]["lruCapacityPerServer"] == min(tier.bytes.values()) // (73_728 * 128)


def test_the_precise_scorer_hears_what_the_servers_say() -> None:
    plan = plan_of(PRECISE, decode={"replicas": 24})
    scorer = plugin_of(plan, "precise-prefix-cache-scorer")
    events = role_of(plan, "decode").flags["kv-events-config"]
    processor, index = scorer["parameters"]["tokenProcessorConfig"], scorer["parameters"]["indexerConfig"]
    values = {each.name: each.value for each in role_of(plan, "decode").env}
    assert processor["blockSize"] == role_of(plan, "decode").flags["block-size"] == 64
    assert processor["hashSeed"] == values["PYTHONHASHSEED"]
    assert index["kvBlockIndexConfig"]["inMemoryConfig"]["podCacheSize"] == 24
    assert index["tokenizersPoolConfig"]["modelName"] == QWEN
    assert scorer["parameters"]["kvEventsConfig"]["zmqEndpoint"] == "tcp://*:5557"
    assert events["endpoint"] == "tcp://demo-router-epp.llm-d-demo.svc.cluster.local:5557"
    assert events["topic"].startswith(scorer["parameters"]["kvEventsConfig"]["topicFilter"])
    assert events["topic"].count("@") == 2


def test_precise_routing_beside_disaggregation_takes_the_transfers_block_size() -> None:
    plan = plan_of(SPLIT, GPT_OSS, with_=[PRECISE])
    scorer = plugin_of(plan, "precise-prefix-cache-scorer")
    assert scorer["parameters"]["tokenProcessorConfig"]["blockSize"] == 128
    assert {role.flags["block-size"] for role in plan.roles} == {128}


@pytest.mark.parametrize(("length", "blocks"), [(2048, 256), (8192, 512), (40960, 2048)])
def test_the_prefix_scorer_matches_as_far_as_a_prompt_may_go(length: int, blocks: int) -> None:
    plan = plan_of("inference-scheduling", engine={"args": {"max-model-len": length}})
    scorer = plugin_of(plan, "prefix-cache-scorer")
    assert scorer["parameters"]["maxPrefixBlocksToMatch"] == blocks


@pytest.mark.parametrize("release", ["v0.5.1", "v0.9.0"])
def test_of_an_unknown_model_the_scheduler_counts_blocks_by_its_own_default(release: str) -> None:
    plan = plan_of(TIERED, "example/unknown-8b", release=release, model={"size": "20Gi"})
    told = [plugin.get("parameters", {}) for plugin in _config(plan)[0] if "prefix-cache" in plugin["type"]]
    assert told
    assert not any("lruCapacityPerServer" in parameters for parameters in told)
