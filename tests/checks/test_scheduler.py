"""Weights, the endpoint picker's configuration, and what it must agree on with vLLM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from llmdgen import api, registry
from llmdgen.checks import load_plan_checks
from llmdgen.findings import Finding
from llmdgen.planning.model import Plan
from llmdgen.scheduling.document import SchedulerConfig
from tests.checks.conftest import plan_of
from tests.specs import RELEASE

GUIDES = Path(__file__).parents[3] / "shared" / "upstream" / "guides" / "v0.5.1"
PICKER = "  - {type: max-score-picker}\n"
CONFIG = """apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
featureGates: [prepareDataPlugins]
plugins:
  - {type: prefill-header-handler}
  - {type: prefix-cache-scorer, parameters: {maxPrefixBlocksToMatch: 512}}
  - {type: prefill-filter}
  - {type: decode-filter}
  - {type: max-score-picker}
  - {type: prefix-based-pd-decider, parameters: {nonCachedTokens: 8}}
  - {type: pd-profile-handler, parameters: {deciderPluginName: prefix-based-pd-decider}}
schedulingProfiles:
  - name: prefill
    plugins: [{pluginRef: prefill-filter}, {pluginRef: prefix-cache-scorer, weight: 2}, {pluginRef: max-score-picker}]
  - name: decode
    plugins: [{pluginRef: decode-filter}, {pluginRef: prefix-cache-scorer}, {pluginRef: max-score-picker}]
"""


def plan_with(path: str = "pd-disaggregation", **spec: Any) -> Plan:
    model = {"name": "Qwen/Qwen3-32B"}
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: test}}
spec: {json.dumps({"path": path, "release": RELEASE, "instanceTypes": ["p5.48xlarge"], "model": model, **spec})}
"""
    return plan_of(text)


def codes(path: str = "pd-disaggregation", **spec: Any) -> list[str]:
    every = [each.finding.code for each in api.check(plan_with(path, **spec))]
    return [code for code in every if code.startswith("EPP")]


def overridden(text: str) -> dict[str, Any]:
    return {"router": {"inferenceExtension": {"pluginsCustomConfig": {"plugins.yaml": text}}}}


def says(text: str) -> str:
    return " / ".join(each.says for each in judged(YAML(typ="safe", pure=True).load(text)))


def judged(document: Any, release: str = RELEASE) -> list[Finding]:
    load_plan_checks()
    return list(registry.run(SchedulerConfig(release=release, document=document)))


def test_a_weight_names_a_scorer_of_the_plan() -> None:
    assert codes(scheduler={"weights": {"prefix-scorer": 3}}) == ["EPP001"]
    assert codes(scheduler={"weights": {"prefix-cache-scorer": 3}}) == []


def test_a_negative_weight_is_an_error_and_all_zero_a_warning() -> None:
    assert codes(scheduler={"weights": {"queue-scorer": -1.0}}) == ["EPP002"]
    assert codes(scheduler={"weights": {"queue-scorer": 0.0, "prefix-cache-scorer": 0.0}}) == ["EPP008"]


def test_a_sound_configuration_of_the_specs_own_passes() -> None:
    assert says(CONFIG) == ""
    assert codes(values=overridden(CONFIG)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("prefix-based-pd-decider, para", "prefix-based-decider, para", "no plugin type prefix-based-decider"),
        ("deciderPluginName: prefix-based-pd-decider", "threshold: 0", "ignores threshold"),
        ("deciderPluginName: prefix-based-pd-decider", "deciderPluginName: other", "needs other"),
        ("nonCachedTokens: 8", "nonCachedTokens: '8'", "not a whole number"),
        ("featureGates: [prepareDataPlugins]\n", "", "without the feature gate"),
        ("[prepareDataPlugins]", "[prepareData]", "no feature gate prepareData"),
        ("maxPrefixBlocksToMatch: 512", "blockSize: 64", "does not start"),
        ("pluginRef: decode-filter", "pluginRef: decoder-filter", "no plugin decoder-filter"),
        ("name: prefill\n", "name: prefiller\n", "needs a profile prefill"),
        ("weight: 2", "weight: heavy", "is not a number"),
        ("kind: EndpointPickerConfig", "kind: EndpointPicker", "kind is EndpointPicker"),
        (PICKER, PICKER + "  - {type: queue-scorer}\n", "decides nothing"),
        (PICKER, PICKER + PICKER, "already"),
        (PICKER, PICKER + "  - {type: single-profile-handler}\n", "2 profile handlers"),
    ],
)
def test_what_the_scheduler_refuses_or_ignores_is_said(old: str, new: str, expected: str) -> None:
    assert old in CONFIG
    broken = CONFIG.replace(old, new)
    assert expected in says(broken)
    assert set(codes(values=overridden(broken))) == {"EPP003"}


def test_a_plugin_stands_after_the_one_that_it_names() -> None:
    lines = CONFIG.splitlines(keepends=True)
    decider = next(index for index, line in enumerate(lines) if "nonCachedTokens" in line)
    lines[decider], lines[decider + 1] = lines[decider + 1], lines[decider]
    assert "comes after it" in says("".join(lines))


def test_a_nested_parameter_that_nothing_reads_is_said() -> None:
    precise = """  - {type: prefill-filter}
  - type: precise-prefix-cache-scorer
    parameters:
      tokenProcessorConfig: {blocksize: 64}
      indexerConfig: {tokenizersPoolConfig: {modelName: m, uds: {socketFile: /s}}}
"""
    assert "ignores tokenProcessorConfig.blocksize" in says(CONFIG.replace("  - {type: prefill-filter}\n", precise))


@pytest.mark.parametrize("text", ["plugins: [", "just text", ""])
def test_a_configuration_that_is_no_yaml_mapping_is_an_error(text: str) -> None:
    assert codes(values=overridden(text)) == ["EPP003"]


def test_a_file_that_is_not_there_is_an_error() -> None:
    assert codes(values={"router": {"inferenceExtension": {"pluginsConfigFile": "other.yaml"}}}) == ["EPP003"]


def test_a_configuration_without_the_roles_of_the_plan_is_an_error() -> None:
    assert codes("inference-scheduling", values=overridden(CONFIG)) == ["EPP003"]


def test_noncachedtokens_need_prefill_servers_and_a_prefix_scorer() -> None:
    wide: dict[str, Any] = {"model": {"name": "deepseek-ai/DeepSeek-R1-0528"}}
    assert codes("inference-scheduling", scheduler={"nonCachedTokens": 16}) == ["EPP004"]
    assert codes("wide-ep", scheduler={"nonCachedTokens": 16}, **wide) == ["EPP004"]
    assert codes("wide-ep", scheduler={"nonCachedTokens": 0}, **wide) == []
    assert codes(scheduler={"nonCachedTokens": 16}) == []


def test_block_sizes_and_hash_seeds_agree() -> None:
    both: dict[str, Any] = {"with": ["precise-prefix-cache"]}
    assert codes(**both) == []
    assert codes(**both, engine={"args": {"block-size": 64}}) == []
    assert codes(**both, prefill={"args": {"block-size": 64}}) == ["EPP005"]
    assert codes(**both, decode={"env": {"PYTHONHASHSEED": "0"}}) == ["EPP005"]


def test_a_model_name_with_an_at_sign_loses_its_kv_events() -> None:
    model = {"name": "qwen@32b", "uri": "hf://Qwen/Qwen3-32B", "size": "80Gi"}
    assert codes("precise-prefix-cache", model=model) == ["EPP006"]
    assert codes("inference-scheduling", model=model) == []


@pytest.mark.parametrize(
    "change",
    [
        {"enable_kv_cache_events": False},
        {"publisher": "null"},
        {"endpoint": "tcp://test-router-epp.llm-d-test.svc.cluster.local:5558"},
        {"topic": "events@pod"},
    ],
)
def test_kv_events_reach_the_scheduler(change: dict[str, Any]) -> None:
    sound = {
        "enable_kv_cache_events": True,
        "publisher": "zmq",
        "endpoint": "tcp://test-router-epp.llm-d-test.svc.cluster.local:5557",
        "topic": "kv@$(POD_IP)@Qwen/Qwen3-32B",
    }
    assert codes("precise-prefix-cache", decode={"args": {"kv-events-config": sound}}) == []
    assert codes("precise-prefix-cache", decode={"args": {"kv-events-config": sound | change}}) == ["EPP007"]


@pytest.mark.parametrize(
    ("path", "more", "model"),
    [
        ("inference-scheduling", [], "Qwen/Qwen3-32B"),
        ("pd-disaggregation", ["tiered-prefix-cache", "precise-prefix-cache"], "Qwen/Qwen3-32B"),
        ("wide-ep", [], "deepseek-ai/DeepSeek-R1-0528"),
        ("tiered-prefix-cache", ["precise-prefix-cache"], "Qwen/Qwen3-32B"),
    ],
)
def test_the_configurations_of_the_paths_are_sound(path: str, more: list[str], model: str) -> None:
    plan = plan_with(path, **{"with": more, "model": {"name": model}})
    assert judged(plan.scheduler.config, plan.release.name) == []


def test_upstreams_wide_ep_configuration_does_not_start() -> None:
    file = GUIDES / "wide-ep-lws" / "manifests" / "inferencepool.values.yaml"
    if not file.is_file():
        pytest.skip("the guides of llm-d v0.5.1 are not beside this repository")
    values = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    text = says(values["inferenceExtension"]["pluginsCustomConfig"]["custom-plugins.yaml"])
    assert "ignores threshold" in text
    assert "needs always-disagg-pd-decider" in text


@pytest.mark.parametrize(
    "text",
    [
        "plugins: [5, {type: [x]}, {type: queue-scorer, name: [1], parameters: 5}]\n"
        "schedulingProfiles: [5, {plugins: [5, {pluginRef: {a: b}}]}]\nfeatureGates: {a: b}",
        "plugins: {type: queue-scorer}",
        "plugins: []\nsaturationDetector: [1]",
    ],
)
def test_a_configuration_of_any_shape_is_refused_and_breaks_nothing(text: str) -> None:
    assert judged(YAML(typ="safe", pure=True).load(text))


def own(text: str, **more: Any) -> dict[str, Any]:
    return {"values": {"router": {"inferenceExtension": {"pluginsCustomConfig": {"plugins.yaml": text}}}}, **more}


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("deciderPluginName: prefix-based-pd-decider", "deciderPluginName: prefill-filter", "EPP003"),
        ("pluginRef: prefill-filter}", "pluginRef: prefill-filter, weight: 1}", "EPP003"),
        ("schedulingProfiles:", "data: {sources: []}\nschedulingProfiles:", "EPP003"),
        ("schedulingProfiles:", "saturationDetector: {kvCacheUtilThreshold: 0.8}\nschedulingProfiles:", None),
        ("nonCachedTokens: 8", "nonCachedTokens: 50000", "EPP012"),
        ("maxPrefixBlocksToMatch: 512", "autoTune: false, blockSizeTokens: 64", "EPP015"),
        ("maxPrefixBlocksToMatch: 512", "autoTune: false, blockSizeTokens: 128", None),
    ],
)
def test_a_configuration_of_ones_own_is_held_against_the_deployment(before: str, after: str, code: str | None) -> None:
    assert before in CONFIG
    assert codes(**own(CONFIG.replace(before, after, 1))) == ([code] if code else [])


def test_a_profile_has_a_name() -> None:
    config = {
        "apiVersion": "inference.networking.x-k8s.io/v1alpha1",
        "kind": "EndpointPickerConfig",
        "plugins": [{"type": "single-profile-handler"}, {"type": "queue-scorer"}],
        "schedulingProfiles": [{"plugins": [{"pluginRef": "queue-scorer"}]}],
    }
    assert codes("inference-scheduling", **own(json.dumps(config))) == ["EPP003"]


def test_a_handler_of_one_profile_takes_one() -> None:
    config = (
        "apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: EndpointPickerConfig\n"
        "plugins: [{type: single-profile-handler}, {type: queue-scorer}]\n"
        "schedulingProfiles:\n  - {name: a, plugins: [{pluginRef: queue-scorer}]}\n"
    )
    assert codes("inference-scheduling", **own(config)) == []
    assert codes("inference-scheduling", **own(config + "  - {name: b, plugins: [{pluginRef: queue-scorer}]}\n")) == [
        "EPP003"
    ]


def test_settings_that_a_configuration_of_ones_own_replaces_are_refused() -> None:
    assert codes(**own(CONFIG, scheduler={"weights": {"queue-scorer": 2}})) == ["EPP014"]
    assert codes(scheduler={"weights": {"queue-scorer": 2}}) == []
    assert codes("precise-prefix-cache", scheduler={"replicas": 2}) == ["EPP013"]


def test_a_precise_index_may_listen_on_every_address_in_either_way() -> None:
    text = json.dumps(plan_with("precise-prefix-cache").scheduler.config)
    assert codes("precise-prefix-cache", **own(text)) == []
    assert codes("precise-prefix-cache", **own(text.replace("tcp://*:", "tcp://0.0.0.0:"))) == []
    assert codes("precise-prefix-cache", **own(text.replace("tcp://*:", "tcp://127.0.0.1:"))) == ["EPP010"]
