"""The scheduler's configuration of each path and composition, in the form of its release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from llmdgen.facts import catalogue
from llmdgen.planning.model import Plan
from llmdgen.scheduling.form import OMITTED, filled, form
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of, role_of

SHAPES = Path(__file__).parents[3] / "shared" / "facts" / "router-v0.10.0" / "epp"
TIERED, PRECISE, SPLIT = "tiered-prefix-cache", "precise-prefix-cache", "pd-disaggregation"
APPROXIMATE, CPU = "approx-prefix-cache-producer", "cpu-prefix-cache-producer"
ALWAYS, BY_PREFIX = {"scheduler": {"nonCachedTokens": 0}}, {"scheduler": {"nonCachedTokens": 512}}
NEWEST: dict[str, tuple[str, str, list[str], dict[str, Any]]] = {
    "inference-scheduling": ("inference-scheduling", QWEN, [], {}),
    "pd": (SPLIT, GPT_OSS, [], ALWAYS),
    "pd-by-prefix": (SPLIT, GPT_OSS, [], BY_PREFIX),
    "wide-ep": ("wide-ep", DEEPSEEK, [], {}),
    "tiered": (TIERED, QWEN, [], {}),
    "precise": (PRECISE, QWEN, [], {}),
    "pd+tiered": (SPLIT, GPT_OSS, [TIERED], ALWAYS),
    "pd+precise": (SPLIT, GPT_OSS, [PRECISE], ALWAYS),
    "tiered+precise": (TIERED, QWEN, [PRECISE], {}),
    "wide-ep+tiered": ("wide-ep", DEEPSEEK, [TIERED], {}),
}


def newest(name: str, **more: Any) -> Plan:
    path, model, others, sections = NEWEST[name]
    return plan_of(path, model, with_=others, release="v0.9.0", **{**sections, **more})


def plugins(plan: Plan) -> dict[str, dict[str, Any]]:
    """The plugins by their names."""
    return {each.get("name", each["type"]): each for each in plan.scheduler.config["plugins"]}


def parameters(plan: Plan, name: str) -> dict[str, Any]:
    return dict(plugins(plan)[name].get("parameters", {}))


def asked(plan: Plan, profile: str) -> list[tuple[str, float | None]]:
    """What a profile refers to, with the weights."""
    found = next(each for each in plan.scheduler.config["schedulingProfiles"] if each["name"] == profile)
    return [(each["pluginRef"], each.get("weight")) for each in found["plugins"]]


def outline(value: Any) -> Any:
    """A configuration without its numbers and addresses."""
    if isinstance(value, dict):
        return {key: outline(each) for key, each in value.items()}
    if isinstance(value, list):
        return [outline(each) for each in value]
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else str(value).partition("://")[0]


@pytest.mark.parametrize("name", NEWEST)
def test_the_newest_form_is_the_one_that_was_run(name: str) -> None:
    file = SHAPES / f"{name}.yaml"
    if not file.is_file():
        pytest.skip("the configurations that were run are not beside this repository")
    ran, made = YAML(typ="safe", pure=True).load(file.read_text("utf-8")), newest(name).scheduler.config
    models = {"modelName": made_model(made)}
    for document in (ran, made):
        for plugin in document["plugins"]:
            if "modelName" in plugin.get("parameters", {}):
                plugin["parameters"] |= models
    assert made["schedulingProfiles"] == ran["schedulingProfiles"]
    assert made.get("dataLayer") == ran.get("dataLayer")
    assert made["apiVersion"] == ran["apiVersion"]
    by_name = [
        {each.get("name", each["type"]): outline(each) for each in document["plugins"]} for document in (made, ran)
    ]
    assert by_name[0] == by_name[1]


def made_model(config: dict[str, Any]) -> str:
    given = (each.get("parameters", {}).get("modelName") for each in config["plugins"])
    return next((str(each) for each in given if each), "")


@pytest.mark.parametrize("name", NEWEST)
def test_no_plugin_of_the_newest_form_is_deprecated_or_experimental(name: str) -> None:
    known = catalogue.release_toml("v0.9.0", "plugins.toml")["plugins"]
    for plugin in newest(name).scheduler.config["plugins"]:
        assert not {"deprecated_in", "alpha"} & set(known[plugin["type"]])
    assert "featureGates" not in newest(name).scheduler.config


def test_disaggregation_names_its_decider_inside_deciders_and_has_no_header_handler() -> None:
    plan = newest("pd")
    assert parameters(plan, "disagg-profile-handler") == {"deciders": {"prefill": "always-disagg-pd-decider"}}
    assert list(plugins(plan))[-2:] == ["always-disagg-pd-decider", "disagg-profile-handler"]
    assert not any("header" in each for each in plugins(plan))
    assert asked(plan, "decode") == [("decode-filter", None), ("active-request-scorer", 1), ("max-score-picker", None)]


def test_deciding_by_prefix_scores_the_cached_prefix_of_decode_servers() -> None:
    plan = newest("pd-by-prefix")
    assert parameters(plan, "prefix-based-pd-decider") == {"nonCachedTokens": 512}
    assert ("prefix-cache-scorer", 2) in asked(plan, "decode")
    assert ("prefix-cache-scorer", 2) not in asked(plan, "prefill")


def test_two_tiers_are_two_producers_and_the_handler_keeps_the_default_one() -> None:
    plan = newest("pd+tiered")
    assert {APPROXIMATE, CPU} <= set(plugins(plan))
    assert parameters(plan, "cpu-prefix-cache-scorer") == {"prefixMatchInfoProducerName": CPU}
    assert parameters(plan, "inflight-load-producer") == {"prefixMatchInfoProducerName": CPU}
    assert "prefix-cache-affinity-filter" not in plugins(plan)
    tiered = newest("tiered")
    assert APPROXIMATE not in plugins(tiered)
    assert parameters(tiered, "no-hit-lru-scorer") == {"prefixMatchInfoProducerName": CPU}


def test_capacities_are_counted_in_the_producers_blocks() -> None:
    plan = newest("tiered", cache={"cpu": {"size": "100Gi"}})
    decode = role_of(plan, "decode")
    assert decode.block_size == 16
    assert decode.memory_use is not None
    gpu, cpu = parameters(plan, "gpu-prefix-cache-producer"), parameters(plan, CPU)
    assert (gpu["blockSizeTokens"], cpu["blockSizeTokens"], gpu["autoTune"], cpu["autoTune"]) == (64, 64, False, False)
    assert gpu["lruCapacityPerServer"] == decode.memory_use.kv_tokens // 64
    # Qwen3-32B: 64 layers x keys and values x 8 heads x 128 x 2 bytes.
    assert cpu["lruCapacityPerServer"] == 100 * 2**30 // (64 * 2 * 8 * 128 * 2) // 64 == 6400
    assert gpu["maxPrefixTokensToMatch"] == decode.memory_use.max_model_len == 40960


@pytest.mark.parametrize(("block", "counted"), [(16, 64), (32, 64), (48, 96), (64, 64), (128, 128)])
def test_a_small_block_is_counted_in_multiples_that_the_producer_keeps(block: int, counted: int) -> None:
    plan = newest("inference-scheduling", engine={"args": {"block-size": block}})
    assert parameters(plan, APPROXIMATE)["blockSizeTokens"] == counted


def test_no_prompt_is_matched_further_than_the_scheduler_is_asked_to() -> None:
    assert parameters(newest("pd"), APPROXIMATE)["maxPrefixTokensToMatch"] == 131072
    short = newest("pd", engine={"args": {"max-model-len": 8192}})
    assert parameters(short, APPROXIMATE)["maxPrefixTokensToMatch"] == 8192


def test_each_rank_of_wide_expert_parallelism_holds_its_own_part() -> None:
    plan = newest("wide-ep+tiered")
    decode = role_of(plan, "decode")
    assert decode.ranks == 8
    assert decode.memory_use is not None
    size = parameters(plan, APPROXIMATE)["blockSizeTokens"]
    tokens = min(role.memory_use.kv_tokens for role in plan.roles if role.memory_use)
    assert parameters(plan, APPROXIMATE)["lruCapacityPerServer"] == tokens // size
    each = min(plan.tiers[0].bytes.values()) // 8
    assert parameters(plan, CPU)["lruCapacityPerServer"] == each // (decode.memory_use.kv_bytes_per_token * size)


def test_prefill_throughput_is_the_measured_one_or_the_default_with_a_note() -> None:
    measured = newest("pd", prefill={"parallelism": {"tensor": 1}})
    assert parameters(measured, "prefix-cache-affinity-filter")["peakPrefillThroughput"] == 39065
    assert measured.scheduler.notes == ()
    assumed = newest("pd", prefill={"parallelism": {"tensor": 2}})
    assert parameters(assumed, "prefix-cache-affinity-filter")["peakPrefillThroughput"] == 15928
    assert "15928 tokens a second" in assumed.scheduler.notes[0]
    assert newest("wide-ep").scheduler.notes == ()


def test_precise_routing_connects_to_the_engines_and_asks_the_render_service() -> None:
    plan = newest("precise", decode={"replicas": 24})
    producer, events = (
        parameters(plan, "precise-prefix-cache-producer"),
        role_of(plan, "decode").flags["kv-events-config"],
    )
    port = plan.engine["ports"]["kv_events"]
    assert producer["kvEventsConfig"]["podDiscoveryConfig"] == {"socketPort": port}
    assert (events["endpoint"], events["topic"]) == (f"tcp://*:{port}", f"kv@$(POD_IP):8000@{QWEN}")
    assert producer["tokenProcessorConfig"]["blockSizeTokens"] == role_of(plan, "decode").block_size
    assert producer["indexerConfig"]["kvBlockIndexConfig"]["inMemoryConfig"]["podCacheSize"] == 24
    assert "kvCacheBackendConfigs" not in producer["indexerConfig"]
    assert parameters(plan, "token-producer") == {"modelName": QWEN, "vllm": {"url": "http://demo-render:8000"}}
    assert (plan.scheduler.render_service, plan.scheduler.kv_events_listener) == ("demo-render", "engine")
    assert not plan.scheduler.tokenizer


def test_precise_routing_over_tiers_weighs_them() -> None:
    indexer = parameters(newest("tiered+precise"), "precise-prefix-cache-producer")["indexerConfig"]
    assert indexer["kvCacheBackendConfigs"] == [{"name": "gpu", "weight": 1.0}, {"name": "cpu", "weight": 0.8}]
    assert CPU not in plugins(newest("tiered+precise"))


@pytest.mark.parametrize("others", [[TIERED, PRECISE], [PRECISE, TIERED]])
def test_the_order_of_the_paths_does_not_change_the_newest_form(others: list[str]) -> None:
    one = plan_of("inference-scheduling", QWEN, with_=others, release="v0.9.0").scheduler.config
    assert one["schedulingProfiles"] == newest("precise").scheduler.config["schedulingProfiles"]


@pytest.mark.parametrize("release", ["v0.5.1", "v0.6.0"])
def test_one_prefix_scorer_stands_where_the_decider_counts_cached_tokens(release: str) -> None:
    plan = plan_of(SPLIT, GPT_OSS, with_=[TIERED], release=release)
    assert [name for name, each in plugins(plan).items() if each["type"] == "prefix-cache-scorer"] == [
        "cpu-prefix-cache-scorer"
    ]
    assert ("cpu-prefix-cache-scorer", 3) in asked(plan, "decode")
    always = plan_of(SPLIT, GPT_OSS, with_=[TIERED], release=release, **ALWAYS)
    assert {"prefix-cache-scorer", "cpu-prefix-cache-scorer"} <= set(plugins(always))


@pytest.mark.parametrize(
    ("release", "pod"), [("v0.5.1", "$(POD_IP)"), ("v0.6.0", "$(POD_IP):8000"), ("v0.9.0", "$(POD_IP):8000")]
)
def test_topics_name_pods_as_the_releases_scheduler_knows_them(release: str, pod: str) -> None:
    for plan in (
        plan_of(PRECISE, QWEN, release=release),
        plan_of(SPLIT, QWEN, with_=[PRECISE], release=release),
    ):
        topics = {role.flags["kv-events-config"]["topic"] for role in plan.roles}
        assert topics == {f"kv@{pod}@{QWEN}"}


def test_the_digest_changes_with_the_configuration_alone() -> None:
    plain, weighed = plan_of(TIERED), plan_of(TIERED, scheduler={"weights": {"queue-scorer": 5}})
    assert plain.scheduler.digest == plan_of(TIERED).scheduler.digest != weighed.scheduler.digest


def test_a_weight_of_the_spec_counts_in_every_profile() -> None:
    plan = newest("wide-ep", scheduler={"weights": {"active-request-scorer": 7}})
    assert ("active-request-scorer", 7) in asked(plan, "prefill")
    assert ("active-request-scorer", 7) in asked(plan, "decode")


@pytest.mark.parametrize("release", catalogue.release_names())
def test_a_form_speaks_of_plugins_and_parameters_that_the_release_has(release: str) -> None:
    known = catalogue.release_toml(release, "plugins.toml")["plugins"]
    found = form(release)
    names = {view.called: view.type for view in found.views.values()}
    for path in found.paths.values():
        for references in (*path.profiles.values(), *path.by_prefix.values(), *path.instead.values()):
            names |= {each.called: each.plugin for each in references}
            assert {known[each.plugin]["kind"] for each in references} <= {"filter", "scorer"}
            assert {each.view for each in references} <= {"", *found.views} or not found.views
    for name, given in found.parameters.items():
        assert set(given) <= set(known[names.get(name, name)].get("parameters", ())), name


def test_numbers_take_the_place_of_their_names() -> None:
    numbers = {"size": 64, "host": "epp", "none": OMITTED}
    given = {
        "a": "{size}",
        "b": "tcp://{host}:{size}",
        "c": "{none}",
        "d": [{"e": "{size}"}],
        "f": "$(POD_IP)",
        "g": True,
    }
    assert filled(given, numbers) == {"a": 64, "b": "tcp://epp:64", "d": [{"e": 64}], "f": "$(POD_IP)", "g": True}
