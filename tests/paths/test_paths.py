"""What each well-lit path makes of a model and its hardware."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from llmdgen import api, paths
from llmdgen.facts import catalogue
from llmdgen.findings import SpecError
from llmdgen.paths.wide_ep import has_eplb, redundant_experts
from llmdgen.spec.load import parse
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, RELEASE, plan_of, role_of


def test_the_paths_are_the_files_of_their_folder() -> None:
    files = sorted(Path(paths.__file__).parent.glob("[!_]*.py"))
    assert catalogue.path_names() == tuple(file.stem.replace("_", "-") for file in files)
    with pytest.raises(ModuleNotFoundError):
        paths.get("../planning/build")


@pytest.mark.parametrize("path", ["inference-scheduling", "tiered-prefix-cache", "precise-prefix-cache"])
def test_whole_model_servers_fill_a_node(path: str) -> None:
    plan = plan_of(path, QWEN)
    assert [(role.name, role.size.replicas, role.size.tensor) for role in plan.roles] == [("decode", 4, 2)]
    assert plan.sidecar is None
    assert (plan.connectors == (), plan.one_zone) == (path != "tiered-prefix-cache", False)
    assert plan.roles[0].port == 8000


@pytest.mark.parametrize(
    ("parallelism", "replicas"),
    [({"tensor": 1}, 8), ({"tensor": 4}, 2), ({"tensor": 8}, 2), ({"tensor": 2, "data": 2}, 2)],
)
def test_whole_model_servers_fill_a_node_at_the_size_that_the_spec_asks_for(
    parallelism: dict[str, int], replicas: int
) -> None:
    size = role_of(plan_of("inference-scheduling", QWEN, decode={"parallelism": parallelism}), "decode").size
    assert (size.tensor, size.data, size.replicas) == (parallelism["tensor"], parallelism.get("data", 1), replicas)


def test_disaggregation_is_awss_own_recipe_on_one_node() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, "p5en.48xlarge")
    assert [(role.name, role.size.replicas, role.size.tensor, role.port) for role in plan.roles] == [
        ("prefill", 4, 1, 8000),
        ("decode", 1, 4, 8200),
    ]
    assert plan.sidecar is not None
    assert plan.one_zone
    for role in plan.roles:
        assert role.flags["kv-transfer-config"]["kv_connector_extra_config"]["backends"] == ["LIBFABRIC"]
        assert role.flags["block-size"] == 128


@pytest.mark.parametrize(("prefill", "decode"), [(1, 4), (2, 8), (8, 8)])
def test_decode_is_never_narrower_than_the_prefill_that_the_spec_asks_for(prefill: int, decode: int) -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, prefill={"parallelism": {"tensor": prefill}})
    assert [role.size.tensor for role in plan.roles] == [prefill, decode]


@pytest.mark.parametrize(
    ("instance", "workers"),
    [("p5.48xlarge", 4), ("p5en.48xlarge", 2), ("p6-b200.48xlarge", 2), ("p6-b300.48xlarge", 1)],
)
def test_wide_expert_parallelism_takes_the_nodes_that_the_weights_need(instance: str, workers: int) -> None:
    plan = plan_of("wide-ep", DEEPSEEK, instance)
    for role in plan.roles:
        assert (role.size.workers, role.size.data, role.size.expert_parallel) == (workers, 8 * workers, 8 * workers)
        assert (256 + role.flags["eplb-config"]["num_redundant_experts"]) % role.size.expert_parallel == 0
        assert role.flags["all2all-backend"] == "allgather_reducescatter"
        assert ("data-parallel-hybrid-lb" in role.flags) == (workers > 1)
    assert plan.multinode is (workers > 1)


def test_dual_batch_overlap_is_left_out_because_it_needs_deepep() -> None:
    for role in plan_of("wide-ep", DEEPSEEK).roles:
        assert not any("dbo" in flag for flag in role.flags)


@pytest.mark.parametrize(("routed", "ranks", "copies"), [(256, 16, 32), (256, 8, 32), (384, 16, 48), (160, 24, 32)])
def test_redundant_experts_make_the_experts_divisible(routed: int, ranks: int, copies: int) -> None:
    assert redundant_experts(routed, ranks, 0.125) == copies
    assert (routed + copies) % ranks == 0


def test_a_dense_model_has_no_experts_to_spread() -> None:
    with pytest.raises(SpecError, match="PATH006"):
        plan_of("wide-ep", QWEN)


def test_prefill_exists_only_where_a_path_has_it() -> None:
    with pytest.raises(SpecError, match="PATH002"):
        plan_of("inference-scheduling", QWEN, prefill={"replicas": 1})
    assert plan_of("inference-scheduling", QWEN, with_=["pd-disaggregation"], prefill={"replicas": 1}).disaggregated


def test_events_of_several_ranks_would_be_lost() -> None:
    with pytest.raises(SpecError, match="PATH005"):
        plan_of("precise-prefix-cache", QWEN, decode={"parallelism": {"data": 2}})


def test_a_composition_has_the_roles_of_its_widest_path_in_either_order() -> None:
    one = plan_of("tiered-prefix-cache", GPT_OSS, with_=["pd-disaggregation"])
    other = plan_of("pd-disaggregation", GPT_OSS, with_=["tiered-prefix-cache"])
    assert [role.size for role in one.roles] == [role.size for role in other.roles]


def test_all_three_caches_compose() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, with_=["tiered-prefix-cache", "precise-prefix-cache"])
    assert [connector.name for connector in plan.connectors] == ["NixlConnector", "OffloadingConnector"]
    types = {plugin["type"] for plugin in plan.scheduler.config["plugins"]}
    assert types >= {"precise-prefix-cache-scorer", "prefix-cache-scorer"}
    events = role_of(plan, "prefill").flags["kv-events-config"]
    assert events["enable_kv_cache_events"] is True


@pytest.mark.parametrize(("composed", "roles"), [("[]", ["decode"]), ("[pd-disaggregation]", ["prefill", "decode"])])
def test_linear_attention_is_decoded_alone_unless_prefill_is_asked_for(composed: str, roles: list[str]) -> None:
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: linear}}
spec:
  path: wide-ep
  release: {RELEASE}
  with: {composed}
  instanceTypes: [p5en.48xlarge]
  model: {{name: Qwen/Qwen3.5-397B-A17B-FP8}}
"""
    plan = api.draft(parse(text, "linear.yaml")[0], "p5en.48xlarge")
    handlers = [plugin["type"] for plugin in plan.scheduler.config["plugins"] if "profile-handler" in plugin["type"]]
    assert [role.name for role in plan.roles] == roles
    assert handlers == (["pd-profile-handler"] if len(roles) > 1 else ["single-profile-handler"])


@pytest.mark.parametrize("place", ["engine", "decode"])
def test_expert_balancing_switched_off_leaves_no_redundant_experts(place: str) -> None:
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: even}}
spec:
  path: wide-ep
  release: {RELEASE}
  instanceTypes: [p5en.48xlarge]
  model: {{name: deepseek-ai/DeepSeek-R1-0528}}
  {place}: {{args: {{enable-eplb: false, max-model-len: 32768}}}}
  {"prefill" if place == "decode" else "decode"}: {{args: {{max-model-len: 32768}}}}
"""
    decode = role_of(api.draft(parse(text, "even.yaml")[0], "p5en.48xlarge"), "decode")
    assert decode.flags["enable-eplb"] is False
    assert "eplb-config" not in decode.flags


@pytest.mark.parametrize(
    ("model", "weights", "balanced"),
    [(DEEPSEEK, "FP8", True), (DEEPSEEK, "W4A8-FP8", False), (GPT_OSS, "FP8", False), (QWEN, "BF16", False)],
)
def test_experts_are_balanced_where_both_the_architecture_and_the_weights_allow(
    model: str, weights: str, balanced: bool
) -> None:
    facts = structs.replace(catalogue.model(model), weight_dtype=weights)
    assert has_eplb(facts, catalogue.release_toml("v0.9.0", "engine.toml")["eplb"]) is balanced


@pytest.mark.parametrize(
    ("instance", "replicas", "tokens"),
    [("p5en.48xlarge", 16, 2048), ("p5.48xlarge", 32, 1024), ("p6-b300.48xlarge", 8, 4096)],
)
def test_batches_shrink_with_the_ranks_because_the_experts_workspace_grows_with_both(
    instance: str, replicas: int, tokens: int
) -> None:
    for role in plan_of("wide-ep", DEEPSEEK, instance, release="v0.9.0").roles:
        assert (role.size.data, role.flags["max-num-batched-tokens"]) == (replicas, tokens)


@pytest.mark.parametrize("instance", ["p5en.48xlarge", "p6-b300.48xlarge"])
def test_a_supervisor_serves_each_rank_on_a_port_of_its_own(instance: str) -> None:
    plan = plan_of("wide-ep", DEEPSEEK, instance, release="v0.9.0")
    ports = {role.name: (role.port, role.ranks, role.probed_port) for role in plan.roles}
    assert ports == {"prefill": (8000, 8, 8008), "decode": (8200, 8, 8208)}
    assert plan.target_ports == tuple(range(8000, 8008))
    for role in plan.roles:
        assert role.flags["data-parallel-multi-port-external-lb"] is True
        assert "data-parallel-hybrid-lb" not in role.flags
        assert ("data-parallel-rpc-port" in role.flags) is (role.size.workers > 1)


def test_one_rank_needs_no_supervisor() -> None:
    one = {"parallelism": {"tensor": 8, "data": 1}}
    plan = plan_of("wide-ep", GPT_OSS, "p5en.48xlarge", release="v0.9.0", prefill=one, decode=one)
    assert plan.target_ports == (8000,)
    for role in plan.roles:
        assert (role.ranks, role.probed_port) == (1, None)
        assert not any("data-parallel" in flag for flag in role.flags)


def test_a_replica_of_several_nodes_is_worth_a_word_whichever_role_it_is_of() -> None:
    one, two = ({"parallelism": {"data": ranks}} for ranks in (8, 16))
    for prefill, decode, told in ((one, two, 1), (two, one, 1), (one, one, 0)):
        plan = plan_of("wide-ep", DEEPSEEK, "p6-b200.48xlarge", release="v0.9.0", prefill=prefill, decode=decode)
        assert len([note for note in plan.notes if "5 minutes apart" in note]) == told


@pytest.mark.parametrize(("instance", "several"), [("p6-b300.48xlarge", False), ("p5.48xlarge", True)])
def test_decode_alone_crosses_pods_only_where_a_replica_has_several(instance: str, several: bool) -> None:
    model = "Qwen/Qwen3.5-397B-A17B-FP8"
    plan = plan_of("wide-ep", model, instance, release="v0.6.0", decode={"parallelism": {"workers": 1 + several}})
    assert [role.name for role in plan.roles] == ["decode"]
    assert (plan.one_zone, plan.roles[0].efa_per_pod > 0) == (several, several)
