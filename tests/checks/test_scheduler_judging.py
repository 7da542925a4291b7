"""A scheduler's configuration of llm-d v0.9.0 as data: what its loader refuses, and what it takes in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmdgen import plain_yaml, registry
from llmdgen.checks import load_plan_checks
from llmdgen.checks.scheduler import scheduler_config
from llmdgen.findings import Finding
from llmdgen.scheduling.document import Endpoints, SchedulerConfig
from tests.specs import GPT_OSS, QWEN, plan_of

RAN = Path(__file__).parents[3] / "shared" / "facts" / "router-v0.10.0" / "epp"
EVENTS = {
    "enable_kv_cache_events": True,
    "publisher": "zmq",
    "endpoint": "tcp://*:5556",
    "topic": f"kv@$(POD_IP):8000@{QWEN}",
}
SINGLE = """apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: approx-prefix-cache-producer
  parameters: {autoTune: false, blockSizeTokens: 64, lruCapacityPerServer: 5000}
- type: inflight-load-producer
- type: prefix-cache-affinity-filter
  parameters: {peakPrefillThroughput: 20000}
- type: token-load-scorer
- type: max-score-picker
- type: single-profile-handler
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: prefix-cache-affinity-filter
  - {pluginRef: token-load-scorer, weight: 1}
  - pluginRef: max-score-picker
"""
SPLIT = """apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: approx-prefix-cache-producer
  parameters: {autoTune: false, blockSizeTokens: 64, lruCapacityPerServer: 5000}
- type: prefill-filter
- type: decode-filter
- type: prefix-cache-scorer
- type: max-score-picker
- type: always-disagg-pd-decider
- type: disagg-profile-handler
  parameters: {deciders: {prefill: always-disagg-pd-decider}}
schedulingProfiles:
- name: prefill
  plugins: [{pluginRef: prefill-filter}, {pluginRef: prefix-cache-scorer, weight: 1}, {pluginRef: max-score-picker}]
- name: decode
  plugins: [{pluginRef: decode-filter}, {pluginRef: prefix-cache-scorer, weight: 1}, {pluginRef: max-score-picker}]
"""
PRECISE = f"""apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: token-producer
  parameters: {{modelName: {QWEN}, vllm: {{url: "http://render:8000"}}}}
- type: endpoint-notification-source
- type: precise-prefix-cache-producer
  parameters:
    tokenProcessorConfig: {{blockSizeTokens: 64}}
    kvEventsConfig: {{topicFilter: "kv@", podDiscoveryConfig: {{socketPort: 5556}}}}
- type: prefix-cache-scorer
  parameters: {{prefixMatchInfoProducerName: precise-prefix-cache-producer}}
- type: max-score-picker
- type: single-profile-handler
dataLayer:
  sources:
  - pluginRef: endpoint-notification-source
    extractors: [{{pluginRef: precise-prefix-cache-producer}}]
schedulingProfiles:
- name: default
  plugins: [{{pluginRef: prefix-cache-scorer, weight: 1}}, {{pluginRef: max-score-picker}}]
"""


def servers(*roles: str, block: int = 64, events: dict[str, Any] | None = None) -> tuple[Endpoints, ...]:
    return tuple(Endpoints(name=role, role=role, block_size=block, events=events) for role in roles)


def judged(text: str, found: tuple[Endpoints, ...] = (), **more: Any) -> list[Finding]:
    load_plan_checks()
    document = plain_yaml.load(text)
    return list(registry.run(SchedulerConfig(release="v0.9.0", document=document, servers=found, **more)))


def changed(text: str, before: str, after: str) -> str:
    assert before in text
    return text.replace(before, after, 1)


def test_sound_configurations_have_no_finding() -> None:
    assert judged(SINGLE, servers("decode")) == []
    assert judged(SPLIT, servers("prefill", "decode")) == []
    assert judged(PRECISE, servers("decode", events=EVENTS), model=QWEN) == []


@pytest.mark.parametrize(
    ("before", "after", "code", "says"),
    [
        ("llm-d.ai/v1alpha1", "llm-d.ai/v1", "EPP003", "apiVersion is llm-d.ai/v1"),
        ("llm-d.ai/v1alpha1", "inference.networking.x-k8s.io/v1alpha1", "EPP016", "is deprecated"),
        ("plugins:\n-", "featureGates: [prepareDataPlugins]\nplugins:\n-", "EPP003", "no feature gate"),
        ("plugins:\n-", "featureGates: [haPopulateNonLeaderDatastore=no]\nplugins:\n-", "EPP003", "no feature gate"),
        ("plugins:\n-", "featureGates: [flowControl]\nplugins:\n-", "EPP017", "holds requests"),
        ("plugins:\n-", "data: {}\nplugins:\n-", "EPP003", "does not read data"),
        ("autoTune: false", "autotune: false", "EPP003", "refuses autotune"),
        ("blockSizeTokens: 64", "blockSizeTokens: 0", "EPP003", "does not start"),
        ("blockSizeTokens: 64", "blockSizeTokens: 32", "EPP017", "raises blockSizeTokens 32 to 64"),
        ("lruCapacityPerServer: 5000", "lruCapacityPerServer: 0", "EPP017", "means 31250"),
        ("lruCapacityPerServer: 5000", "lruCapacityPerServer: 5e+3", "EPP017", "counts"),
        ("lruCapacityPerServer: 5000", "lruCapacityPerServer: '5000'", "EPP003", "not a whole number"),
        ("peakPrefillThroughput: 20000", "peakPrefillThroughput: 0", "EPP003", "does not start"),
        ("peakPrefillThroughput: 20000", "affinityThreshold: 1.5", "EPP003", "does not start"),
        ("peakPrefillThroughput: 20000", "ttftSource: guess", "EPP003", "does not know"),
        ("peakPrefillThroughput: 20000", "prefixMatchInfoProducerName: nobody", "EPP018", "no producer nobody"),
        ("peakPrefillThroughput: 20000", "prefixMatchInfoProducerName: max-score-picker", "EPP018", "makes no Prefix"),
        ("- type: max-score-picker", "- type: agent-identity\n- type: max-score-picker", "EPP003", "experimental"),
        ("weight: 1", "weight: -1", "EPP003", "not a number from 0"),
        ("affinity-filter\n  - {", "affinity-filter\n    weight: 2\n  - {", "EPP003", "only scorers have a weight"),
        ("  - pluginRef: max", "  - pluginRef: inflight-load-producer\n  - pluginRef: max", "EPP017", "producer"),
        ("schedulingProfiles:", "dataLayer: {injectDefaults: false}\nschedulingProfiles:", "EPP017", "zeros"),
        ("schedulingProfiles:", "parser: {}\nschedulingProfiles:", "EPP016", "parser is deprecated"),
    ],
)
def test_a_configuration_of_one_profile(before: str, after: str, code: str, says: str) -> None:
    found = judged(changed(SINGLE, before, after))
    assert code in [each.code for each in found]
    assert says in " / ".join(each.says for each in found if each.code == code)
    assert all(each.fix for each in found)


@pytest.mark.parametrize(
    ("before", "after", "code", "says"),
    [
        ("  parameters: {deciders: {prefill: always-disagg-pd-decider}}\n", "", "EPP003", "to decode alone"),
        ("{prefill: always-disagg-pd-decider}", "{prefill: nobody}", "EPP003", "not in the list"),
        ("{prefill: always-disagg-pd-decider}", "{prefill: decode-filter}", "EPP003", "is a filter"),
        ("{deciders: {", "{decodeProfile: decode, deciders: {", "EPP003", "refuses decodeProfile"),
        ("- name: prefill", "- name: first", "EPP003", "needs a profile prefill"),
        ("pluginRef: decode-filter", "pluginRef: prefill-filter", "EPP003", "picks servers by prefill-filter"),
        ("[{pluginRef: decode-filter}, ", "[", "EPP003", "servers of either role"),
        ("- type: prefill-filter", "- type: disagg-headers-handler\n- type: prefill-filter", "EPP016", "deprecated"),
        ("always-disagg-pd-decider\n-", "prefix-based-pd-decider\n-", "EPP003", "nonCachedTokens 0"),
    ],
)
def test_a_configuration_of_two_profiles(before: str, after: str, code: str, says: str) -> None:
    found = judged(changed(SPLIT, before, after), servers("prefill", "decode"))
    assert says in " / ".join(each.says for each in found if each.code == code)


def test_profiles_of_other_names_are_found_where_the_handler_names_them() -> None:
    text = changed(
        changed(SPLIT, "{deciders: ", "{profiles: {prefill: first}, deciders: "), "- name: prefill", "- name: first"
    )
    assert judged(text, servers("prefill", "decode")) == []


def test_a_decider_may_stand_behind_its_handler_for_this_scheduler_alone() -> None:
    decider = "- type: always-disagg-pd-decider\n"
    text = changed(SPLIT, decider, "").replace("schedulingProfiles:", f"{decider}schedulingProfiles:")
    assert [each.code for each in judged(text)] == ["EPP016"]


def test_roles_and_profiles_agree() -> None:
    assert [each.code for each in judged(SINGLE, servers("prefill", "decode"))] == ["EPP003"]
    assert [each.code for each in judged(SPLIT, servers("decode"))] == ["EPP003"]


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (", podDiscoveryConfig: {socketPort: 5556}", "", "EPP010"),
        ("socketPort: 5556", "socketPort: 5557", "EPP010"),
        ("socketPort: 5556", "socketPort: 5556, replaySocketPort: 5559", "EPP007"),
        ('topicFilter: "kv@"', 'topicFilter: "events@"', "EPP010"),
        ('topicFilter: "kv@"', 'topicFilter: "kv@", discoverPods: false', "EPP010"),
        ("blockSizeTokens: 64", "blockSizeTokens: 16", "EPP005"),
        ("blockSizeTokens: 64", "blockSize: 64", "EPP016"),
        (f"modelName: {QWEN}, ", "", "EPP003"),
        (f"modelName: {QWEN}", "modelName: other", "EPP011"),
        ("- type: endpoint-notification-source\n", "", "EPP018"),
        (
            "extractors: [{pluginRef: precise-prefix-cache-producer}]",
            "extractors: [{pluginRef: max-score-picker}]",
            "EPP018",
        ),
        (
            "    kvEventsConfig:",
            "    indexerConfig: {tokenizersPoolConfig: {modelName: m}}\n    kvEventsConfig:",
            "EPP003",
        ),
        ("  parameters: {prefixMatchInfoProducerName: precise-prefix-cache-producer}\n", "", "EPP017"),
    ],
)
def test_a_precise_configuration(before: str, after: str, code: str) -> None:
    found = judged(changed(PRECISE, before, after), servers("decode", events=EVENTS), model=QWEN)
    assert code in [each.code for each in found]


def test_a_precise_producer_needs_the_models_own_tokens_and_a_source() -> None:
    tokens = PRECISE.replace(
        f'- type: token-producer\n  parameters: {{modelName: {QWEN}, vllm: {{url: "http://render:8000"}}}}\n', ""
    )
    assert [each.code for each in judged(tokens)] == ["EPP018"]
    start, _, end = PRECISE.partition("dataLayer:")
    unfed = start + "schedulingProfiles:" + end.partition("schedulingProfiles:")[2]
    assert "never hears an event" in judged(unfed)[0].says


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"enable_kv_cache_events": False}, "reports no KV events"),
        ({"endpoint": "tcp://router-epp:5556"}, "binds no port"),
        ({"topic": "kv@$(POD_IP)"}, "drops events"),
        ({"topic": "kv@$(POD_IP):8000@other"}, "requests ask for"),
        ({"publisher": "null"}, "zmq only"),
    ],
)
def test_events_of_the_servers_arrive(change: dict[str, Any], says: str) -> None:
    found = judged(PRECISE, servers("decode", events=EVENTS | change), model=QWEN)
    assert says in " / ".join(each.says for each in found if each.code == "EPP007")


def test_a_scorer_that_names_no_producer_beside_others_gets_a_third_one() -> None:
    named = changed(
        SINGLE, "- type: approx-prefix-cache-producer\n", "- type: approx-prefix-cache-producer\n  name: gpu\n"
    )
    says = [each.says for each in judged(named) if each.code == "EPP018"]
    assert says == [
        "prefix-cache-affinity-filter reads approx-prefix-cache-producer, which is made anew beside gpu, "
        "with its defaults"
    ]


@pytest.mark.parametrize(
    ("size", "block", "good"), [(64, 16, True), (64, 64, True), (128, 64, True), (64, 128, False), (96, 64, False)]
)
def test_approximate_blocks_are_multiples_of_vllms(size: int, block: int, good: bool) -> None:
    text = changed(SINGLE, "blockSizeTokens: 64", f"blockSizeTokens: {size}")
    assert ([each.code for each in judged(text, servers("decode", block=block))] == []) is good


@pytest.mark.parametrize(("capacity", "good"), [(6400, True), (6000, True), (82000, False), (100, False)])
def test_a_capacity_is_what_the_cpu_cache_holds(capacity: int, good: bool) -> None:
    text = SINGLE.replace(
        "type: approx-prefix-cache-producer", "type: approx-prefix-cache-producer\n  name: cpu-prefix-cache-producer"
    )
    text = text.replace("lruCapacityPerServer: 5000", f"lruCapacityPerServer: {capacity}")
    text = text.replace("{peakPrefillThroughput: 20000}", "{prefixMatchInfoProducerName: cpu-prefix-cache-producer}")
    one = Endpoints(name="decode", role="decode", block_size=16, cpu_bytes=100 * 2**30, token_bytes=256 * 2**10)
    assert (judged(text, (one,)) == []) is good


@pytest.mark.parametrize(("capacity", "good"), [(5000, True), (9000, True), (31250, False), (1000, False)])
def test_a_capacity_is_near_what_the_gpus_hold(capacity: int, good: bool) -> None:
    text = changed(SINGLE, "lruCapacityPerServer: 5000", f"lruCapacityPerServer: {capacity}")
    one = Endpoints(name="decode", role="decode", block_size=64, gpu_tokens=64 * 5000)
    assert [each.code for each in judged(text, (one,))] == ([] if good else ["EPP011"])


@pytest.mark.parametrize(
    "text",
    [
        "plugins: [5, {type: [x]}]\nschedulingProfiles: [5]",
        "plugins: {}",
        "dataLayer: 5\nplugins: [{type: queue-scorer}]",
    ],
)
def test_a_configuration_of_any_shape_is_refused_and_breaks_nothing(text: str) -> None:
    assert judged(text, servers("prefill", "decode", events=EVENTS))


@pytest.mark.parametrize("file", sorted(RAN.glob("bad/*.yaml")), ids=lambda file: file.stem)
def test_what_the_loader_refuses_or_takes_in_silence_is_said(file: Path) -> None:
    found = judged(file.read_text("utf-8"), servers("decode", events=EVENTS | {"topic": "kv@$(POD_IP):8000@m"}))
    useful = [each for each in found if each.code != "EPP010" or file.stem == "precise-default-ports"]
    assert useful
    assert all(each.says and each.fix for each in useful)


@pytest.mark.parametrize(
    "file", sorted((*RAN.glob("*.yaml"), *RAN.glob("with-replay/*.yaml"))), ids=lambda file: file.stem
)
def test_what_loads_and_routes_has_no_finding(file: Path) -> None:
    text = file.read_text("utf-8")
    roles = ("prefill", "decode") if "prefill-filter" in text else ("decode",)
    events = EVENTS | {"topic": "kv@$(POD_IP):8000@m"} if "precise-prefix" in text else None
    if events and "replaySocketPort" in text:
        events |= {"replay_endpoint": "tcp://*:5559"}
    block = 128 if "blockSizeTokens: 128" in text else 64
    assert judged(text, servers(*roles, block=block, events=events)) == []


def test_a_text_of_a_spec_is_judged_like_the_one_that_the_paths_make() -> None:
    values = {"router": {"router": {"epp": {"pluginsCustomConfig": {"plugins.yaml": SPLIT}}}}}
    own = scheduler_config(plan_of("pd-disaggregation", GPT_OSS, release="v0.9.0", values=values))
    load_plan_checks()
    codes = [(each.code, each.at[-2:]) for each in registry.run(own)]
    # Its blocks are of 64 tokens, vLLM's of 128, and 5000 of them are more than a prefill server holds.
    assert codes == [("EPP011", ("parameters", "lruCapacityPerServer")), ("EPP015", ("parameters", "blockSizeTokens"))]
    made = scheduler_config(plan_of("pd-disaggregation", GPT_OSS, release="v0.9.0"))
    assert list(registry.run(made)) == []
    assert not made.inside
