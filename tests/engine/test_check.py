"""Each rule of vLLM's settings, on the smallest settings that break it and on some that do not."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen.engine.checks.settings import Numbers, RoleSettings
from llmdgen.engine.facts import connectors, lmcache, taken, variables
from llmdgen.engine.flags import FlagTable, flag_table
from llmdgen.findings import Finding
from llmdgen.registry import RULES, run
from tests.engine.cases import release_of

ARGS = ("spec", "engine", "args")
ENV = ("spec", "decode", "env")
EPLB = {"enable-eplb": True, "enable-expert-parallel": True}
YARN = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1000000, "original_max_position_embeddings": 32768}


def found(
    table: FlagTable,
    args: dict[str, Any] | None = None,
    env: dict[str, str | None] | None = None,
    numbers: Numbers | None = None,
    by_path: bool = False,
) -> list[Finding]:
    args, env = args or {}, env or {}
    routes = {name: ("spec", "path") if by_path else (*ARGS, name) for name in args}
    env_routes = {name: ("spec", "path") if by_path else (*ENV, name) for name in env}
    role = RoleSettings(
        args=args,
        env=env,
        release=release_of(table),
        table=table,
        flag_routes=routes,
        env_routes=env_routes,
        numbers=numbers or Numbers(),
    )
    return list(run(role))


def codes(*given: Any, **named: Any) -> list[str]:
    return [finding.code for finding in found(*given, **named)]


def transfer(name: str, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"kv_connector": name, "kv_role": "kv_both", **({"kv_connector_extra_config": extra} if extra else {})}


def test_a_finding_stands_at_the_key_inside_the_json_value(table: FlagTable) -> None:
    nested = transfer("MultiConnector", {"connectors": [transfer("NixlConnector", {"backends": ["libfabric"]})]})
    (finding,) = found(table, {"kv-transfer-config": nested})
    inside = ("kv_connector_extra_config", "connectors", 0, "kv_connector_extra_config", "backends", 0)
    assert finding.at == (*ARGS, "kv-transfer-config", *inside)
    assert (finding.code, finding.fix) == ("VLLM006", "did you mean LIBFABRIC?")


def test_a_finding_of_a_paths_own_flag_stands_at_the_path(table: FlagTable) -> None:
    (finding,) = found(table, {"max-num-seqs": 0}, by_path=True)
    assert finding.at == ("spec", "path")


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("max-num-seq", "did you mean max-num-seqs?"),
        ("max_num_seqs", "write max-num-seqs"),
        ("--max-num-seqs", "write max-num-seqs"),
        ("no-enable-prefix-caching", "write enable-prefix-caching: false"),
        ("tp", "write tensor-parallel-size"),
        ("-O3", "write optimization-level: 3"),
        ("compilation-config.mode", "write compilation-config: {mode: ...}"),
        ("cohere-format", "remove it, or choose a release with that vLLM"),
        ("gpu-memory-utilisation", "did you mean gpu-memory-utilization?"),
        ("zzz", "remove it; `llmdgen explain FLAG` knows every flag"),
    ],
)
def test_an_unknown_flag_comes_with_what_to_write(table: FlagTable, name: str, fix: str) -> None:
    (finding,) = [each for each in found(table, {name: 1}) if each.code == "VLLM001"]
    assert (finding.fix, finding.on_key) == (fix, True)


def test_a_flag_that_an_earlier_vllm_had_is_said_to_be_gone() -> None:
    findings = found(flag_table("v0.6.0"), {"logits-processor-pattern": "a"})
    (finding,) = [each for each in findings if each.code == "VLLM001"]
    assert finding.says == "vLLM 0.17.1 has no flag --logits-processor-pattern: it is gone from vLLM 0.17.1"
    assert finding.fix == "remove it"


@pytest.mark.parametrize(
    ("args", "fix"),
    [
        ({"max-num-seqs": "256"}, "write 256 without quotes"),
        ({"max-num-seqs": 256.0}, "write 256"),
        ({"async-scheduling": "yes"}, "write true"),
        ({"async-scheduling": 0}, "write false"),
        ({"revision": 5}, 'write "5" in quotes'),
        ({"gpu-memory-utilization": "0.9"}, "write 0.9 without quotes"),
        ({"gpu-memory-utilization": "90%"}, "write a number"),
        ({"max-num-seqs": [64]}, "write 64 itself, not in a list"),
        ({"mamba-cache-mode": 8}, "use one of align, all or none"),
        ({"speculative-config": "ngram"}, "write a map"),
        ({"kv-transfer-config": "{}"}, "write it as a YAML map, not as JSON text"),
        ({"compilation-config": {"custom_ops": "none"}}, "write [none]"),
        ({"max-model-len": "32000"}, "write 32000 without quotes"),
        ({"override-generation-config": {"a": {1: 2}}}, 'write "1" in quotes'),
        ({"override-generation-config": {"a": [object]}}, "write it in quotes"),
    ],
)
def test_a_wrong_type_comes_with_what_to_write(table: FlagTable, args: dict[str, Any], fix: str) -> None:
    (finding,) = found(table, args)
    assert (finding.code, finding.fix) == ("VLLM002", fix)


@pytest.mark.parametrize(
    "args",
    [
        {"gpu-memory-utilization": float("nan")},
        {"cpu-offload-gb": float("inf")},
        {"override-generation-config": {"temperature": float("inf")}},
        {"chat-template": "a\nb"},
        {"data-parallel-rpc-port": 70000},
        {"video-pruning-rate": 1.0},
    ],
)
def test_values_that_cannot_be_written_or_used_are_out_of_range(table: FlagTable, args: dict[str, Any]) -> None:
    assert "VLLM003" in codes(table, args)


def test_a_removed_flag_is_not_checked(table: FlagTable) -> None:
    assert codes(table, {"max-num-seqs": None, "kv-transfer-config": None, "kv-offloading-size": None}) == []


def test_every_flag_that_is_taken_exists_and_is_refused_in_a_spec(table: FlagTable, release: str) -> None:
    for name in taken(release).flags:
        assert table.get(name) is not None, name
        assert "VLLM007" in codes(table, {name: 1}), name


def test_a_path_may_set_what_a_spec_may_not(table: FlagTable) -> None:
    several = Numbers(data=4, data_local=2)
    assert codes(table, {"data-parallel-hybrid-lb": True}, numbers=several, by_path=True) == []
    assert codes(table, env={"VLLM_NIXL_SIDE_CHANNEL_HOST": None}, by_path=True) == []


def test_a_flag_without_a_future_is_noted() -> None:
    (finding,) = found(flag_table("v0.6.0"), {"swap-space": 8})
    assert (finding.code, finding.severity.value) == ("VLLM020", "note")
    assert "0.19.1" in finding.says


@pytest.mark.parametrize(
    ("env", "code"),
    [
        ({"VLLM_LOGING_LEVEL": "DEBUG"}, "VLLM008"),
        ({"VLLM_LOG_STATS_INTERVAL": "often"}, "VLLM008"),
        ({"VLLM_ENGINE_READY_TIMEOUT_S": "1.5"}, "VLLM008"),
        ({"VLLM_USE_BYTECODE_HOOK": "true"}, "VLLM008"),
        ({"VLLM_NO_USAGE_STATS": "true"}, "VLLM008"),
        ({"VLLM_KV_CACHE_LAYOUT": "hnd"}, "VLLM008"),
        ({"LMCACHE_CHUNKSIZE": "256"}, "VLLM008"),
        ({"HF_HOME": "/models"}, "VLLM017"),
        ({"TP_SIZE": "8"}, "VLLM017"),
    ],
)
def test_a_variable_that_does_something_else_is_found(table: FlagTable, env: dict[str, str | None], code: str) -> None:
    assert codes(table, env=env) == [code]


@pytest.mark.parametrize(
    "env",
    [
        {"VLLM_LOGGING_LEVEL": "INFO", "VLLM_LOG_STATS_INTERVAL": "0.5"},
        {"VLLM_USE_BYTECODE_HOOK": "0", "VLLM_NO_USAGE_STATS": "1", "VLLM_USE_AOT_COMPILE": "false"},
        {"VLLM_FLOAT32_MATMUL_PRECISION": "HIGH", "VLLM_KV_CACHE_LAYOUT": "HND"},
        {"LMCACHE_CHUNK_SIZE": "256", "LMCACHE_LOG_LEVEL": "INFO"},
        {"NCCL_DEBUG": "INFO", "BRACES": "{ }", "POD": "$(POD_NAME)"},
        {"VLLM_BATCH_INVARIANT": "1"},
        {"VLLM_LOGGING_PREFIX": None},
    ],
)
def test_variables_as_vllm_reads_them_pass(table: FlagTable, env: dict[str, str | None]) -> None:
    assert codes(table, env=env) == []


def test_the_backend_that_really_runs_decides_about_dual_batches(table: FlagTable, release: str) -> None:
    args = {"enable-dbo": True, "all2all-backend": "deepep_low_latency"}
    assert codes(table, args) == ["VLLM014"]
    overrides = "VLLM_ALL2ALL_BACKEND" in variables(release)
    expected = ["VLLM009", "VLLM011", "VLLM014"] if overrides else ["VLLM008", "VLLM014"]
    assert codes(table, args, {"VLLM_ALL2ALL_BACKEND": "naive"}) == expected


@pytest.mark.parametrize(
    ("args", "numbers", "code"),
    [
        ({"data-parallel-hybrid-lb": True}, Numbers(data=4, data_local=1), "VLLM012"),
        ({"data-parallel-external-lb": True}, Numbers(data=1), "VLLM012"),
        ({"data-parallel-hybrid-lb": True, "headless": True}, Numbers(data=4, data_local=2), "VLLM012"),
        ({"data-parallel-start-rank": 4}, Numbers(data=4), "VLLM012"),
        ({}, Numbers(data=2, data_local=4), "VLLM012"),
        ({"enable-eplb": True}, Numbers(data=8, data_local=8), "VLLM012"),
        (EPLB, Numbers(), "VLLM012"),
        (EPLB, Numbers(data=8, routed_experts=0), "VLLM012"),
        (EPLB, Numbers(data=12, routed_experts=256), "VLLM012"),
        ({}, Numbers(tensor=16, gpus=8), "VLLM018"),
        ({}, Numbers(tensor=3, gpus=8, attention_heads=64), "VLLM018"),
        ({}, Numbers(tensor=8, gpus=8, attention_heads=24, kv_heads=3), "VLLM018"),
        ({"max-model-len": 65536}, Numbers(max_position_embeddings=40960), "VLLM019"),
        ({"max-model-len": "64k"}, Numbers(max_position_embeddings=40960), "VLLM019"),
        (
            {"max-model-len": 140000, "hf-overrides": {"rope_parameters": YARN}},
            Numbers(max_position_embeddings=40960),
            "VLLM019",
        ),
        ({"hf-overrides": {"rope_parameters": {"type": "yarn", "factor": 4.0}}}, Numbers(), "VLLM032"),
        ({"hf-overrides": {"text_config": {"rope_parameters": {"rope_type": "linear"}}}}, Numbers(), "VLLM032"),
        ({"hf-overrides": {"rope_scaling": YARN}}, Numbers(), "VLLM033"),
        ({"max-cudagraph-capture-size": 0}, Numbers(), "VLLM021"),
        ({"max-cudagraph-capture-size": 24, "cudagraph-capture-sizes": [8, 16]}, Numbers(), "VLLM021"),
        ({"quantization": "fbgemm_fp8"}, Numbers(), "VLLM021"),
        ({"profiler-config": {"profiler": "torch"}}, Numbers(), "VLLM021"),
        ({"structured-outputs-config": {"disable_any_whitespace": True}}, Numbers(), "VLLM021"),
        ({"ec-transfer-config": {"ec_connector": "ECExampleConnector"}}, Numbers(), "VLLM021"),
        ({"collect-detailed-traces": "all"}, Numbers(), "VLLM021"),
        ({"kv-transfer-config": {"kv_role": "kv_both"}}, Numbers(), "VLLM006"),
        ({"chat-template": "chatml"}, Numbers(), "VLLM003"),
        ({"show-hidden-metrics-for-version": "latest"}, Numbers(), "VLLM003"),
        ({"media-io-kwargs": {"video": 32}}, Numbers(), "VLLM002"),
        ({"override-generation-config": ["temperature"]}, Numbers(), "VLLM002"),
        ({"decode-context-parallel-size": 0}, Numbers(), "VLLM003"),
        ({"speculative-config": {}}, Numbers(), "VLLM026"),
        (
            {"enable-chunked-prefill": False, "max-num-batched-tokens": 8192},
            Numbers(max_position_embeddings=40960),
            "VLLM013",
        ),
        ({"max-num-seqs": 4096}, Numbers(default_batch_tokens=2048), "VLLM013"),
        (
            {"max-num-seqs": 65536, "enable-chunked-prefill": False},
            Numbers(default_batch_tokens=8192, max_position_embeddings=40960),
            "VLLM013",
        ),
        ({"max-cpu-loras": 2, "max-loras": 4, "enable-lora": True}, Numbers(), "VLLM021"),
        ({"kv-offloading-size": 0}, Numbers(), "VLLM010"),
        (
            {"kv-offloading-size": 40, "disable-hybrid-kv-cache-manager": True},
            Numbers(data=2, data_local=2, pod_memory_bytes=64 << 30),
            "VLLM027",
        ),
        ({"kv-offloading-size": -1.5, "disable-hybrid-kv-cache-manager": True}, Numbers(), "VLLM003"),
        ({"decode-context-parallel-size": 3}, Numbers(tensor=8, mla=True, kv_heads=128), "VLLM029"),
        ({"decode-context-parallel-size": 2}, Numbers(tensor=8, kv_heads=8, attention_heads=64), "VLLM029"),
        ({"decode-context-parallel-size": 4}, Numbers(tensor=8, kv_heads=4, attention_heads=64), "VLLM029"),
        ({"decode-context-parallel-size": 2}, Numbers(tensor=6, kv_heads=2, attention_heads=6), "VLLM029"),
        ({"compilation-config": {"backend": "inductr"}}, Numbers(), "VLLM003"),
        ({"ec-transfer-config": {"ec_connector": "Example", "ec_role": "ec_producer"}}, Numbers(), "VLLM003"),
        ({"speculative-config": {"method": "mtp"}}, Numbers(), "VLLM026"),
        ({"speculative-config": {"method": "eagle3", "model": "a/b"}}, Numbers(), "VLLM026"),
        ({"speculative-config": {"method": "medusa2", "num_speculative_tokens": 3}}, Numbers(), "VLLM003"),
        (
            {
                "speculative-config": {
                    "method": "ngram",
                    "num_speculative_tokens": 3,
                    "prompt_lookup_min": 5,
                    "prompt_lookup_max": 2,
                }
            },
            Numbers(),
            "VLLM026",
        ),
        (
            {"speculative-config": {"model": "a/b", "num_speculative_tokens": 3, "draft_tensor_parallel_size": 2}},
            Numbers(tensor=4),
            "VLLM026",
        ),
        (
            {"speculative-config": {"model": "a/b", "num_speculative_tokens": 3, "tensor_parallel_size": 2}},
            Numbers(),
            "VLLM026",
        ),
    ],
)
def test_settings_that_the_model_or_the_node_refuses_are_found(
    table: FlagTable, args: dict[str, Any], numbers: Numbers, code: str
) -> None:
    assert codes(table, args, numbers=numbers, by_path=True) == [code]


@pytest.mark.parametrize(
    ("args", "numbers"),
    [
        ({"data-parallel-hybrid-lb": True}, Numbers(data=16, data_local=8)),
        (EPLB, Numbers(data=16, data_local=8, routed_experts=256)),
        (
            {**EPLB, "eplb-config": {"num_redundant_experts": 32}},
            Numbers(data=16, data_local=8, routed_experts=256),
        ),
        ({}, Numbers(tensor=8, gpus=8, attention_heads=64, kv_heads=4)),
        ({}, Numbers(tensor=8, gpus=8, attention_heads=128, kv_heads=1, mla=True)),
        ({"max-model-len": "auto"}, Numbers(max_position_embeddings=40960)),
        (
            {"max-model-len": 131072, "hf-overrides": {"rope_parameters": YARN}},
            Numbers(max_position_embeddings=40960),
        ),
        ({"block-size": 16}, Numbers()),
        ({"kv-offloading-size": 10, "disable-hybrid-kv-cache-manager": True}, Numbers()),
        (
            {"max-model-len": 160000, "hf-overrides": {"max_position_embeddings": 163840}},
            Numbers(max_position_embeddings=40960),
        ),
        ({"max-cudagraph-capture-size": 0, "enforce-eager": True}, Numbers()),
        ({"max-cudagraph-capture-size": 16, "cudagraph-capture-sizes": [8, 16]}, Numbers()),
        ({"quantization": "fbgemm_fp8", "allow-deprecated-quantization": True}, Numbers()),
        ({"profiler-config": {"profiler": "torch", "torch_profiler_dir": "/tmp/profile"}}, Numbers()),
        ({"structured-outputs-config": {"backend": "xgrammar", "disable_any_whitespace": True}}, Numbers()),
        ({"chat-template": "/templates/chat.jinja"}, Numbers()),
        ({"chat-template": "{% for m in messages %}{{ m.content }}{% endfor %}"}, Numbers()),
        ({"limit-mm-per-prompt": {"image": 2, "video": 0}}, Numbers()),
        ({"media-io-kwargs": {"video": {"num_frames": 32}}}, Numbers()),
        ({"max-num-seqs": 2048}, Numbers(default_batch_tokens=2048)),
        ({"max-num-seqs": 16384, "max-num-batched-tokens": 16384}, Numbers(default_batch_tokens=8192)),
        (
            {"max-num-seqs": 16384, "enable-chunked-prefill": False},
            Numbers(default_batch_tokens=8192, max_position_embeddings=40960),
        ),
        ({"decode-context-parallel-size": 8}, Numbers(tensor=8, mla=True, kv_heads=128, attention_heads=128)),
        ({"decode-context-parallel-size": 2}, Numbers(tensor=8, kv_heads=4, attention_heads=64)),
        ({"compilation-config": {"backend": "my.module.Backend", "mode": 1}}, Numbers()),
        ({"speculative-config": {"method": "mtp", "num_speculative_tokens": 1}, "async-scheduling": True}, Numbers()),
        ({"speculative-config": {"model": "a/b"}}, Numbers()),
        ({"speculative-config": {"method": "suffix"}}, Numbers()),
    ],
)
def test_settings_that_fit_the_model_and_the_node_pass(
    table: FlagTable, args: dict[str, Any], numbers: Numbers
) -> None:
    assert codes(table, args, numbers=numbers, by_path=True) == []


@pytest.mark.parametrize(
    ("args", "host_gib", "expected"),
    [({"swap-space": 64}, 512, ["VLLM016"]), ({}, 32, ["VLLM016"]), ({"swap-space": 16}, 512, [])],
)
def test_swap_space_fits_the_host_where_vllm_swaps(
    table: FlagTable, args: dict[str, Any], host_gib: int, expected: list[str]
) -> None:
    if table.get("swap-space") is None:
        args, expected = {}, []  # then there is no default of it either
    assert codes(table, args, numbers=Numbers(tensor=8, host_memory_bytes=host_gib << 30), by_path=True) == expected


def test_a_number_of_redundant_experts_that_divides_is_proposed(table: FlagTable) -> None:
    numbers = Numbers(data=24, routed_experts=256)
    (finding,) = found(table, EPLB, numbers=numbers, by_path=True)
    assert finding.fix == "set eplb-config.num_redundant_experts to 8"


def test_vllm_is_asked_about_long_contexts_only_where_it_is_not_silenced(table: FlagTable) -> None:
    numbers = Numbers(max_position_embeddings=40960)
    silenced: dict[str, str | None] = {"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"}
    assert codes(table, {"max-model-len": 65536}, silenced, numbers=numbers) == ["VLLM028"]


@pytest.mark.parametrize(
    ("name", "extra", "fix"),
    [
        ("NixlConnector", {"backends": "libfabric"}, "write [LIBFABRIC]: NIXL reads text letter by letter"),
        ("NixlConnector", {"backend": ["UCX"]}, "did you mean backends?"),
        ("OffloadingConnector", {"cpu_bytes_to_use": "100Gi"}, "write a whole number"),
        ("OffloadingConnector", {"cpu_bytes_to_use": 1, "eviction_policy": "fifo"}, "use lru or arc"),
        (
            "LMCacheConnectorV1",
            {"lmcache.local_cpus": 1},
            "did you mean lmcache.local_cpu or lmcache.max_local_cpu_size?",
        ),
        ("LMCacheConnectorV1", {"lmcache.enable_xpyd": True}, "write lmcache.enable_pd"),
        ("LMCacheConnectorV1", {"lmcache.max_local_cpu_size": "5"}, "write 5 without quotes"),
        ("MultiConnector", None, "add kv_connector_extra_config: {connectors: ...}"),
    ],
)
def test_a_connectors_setting_comes_with_what_to_write(
    table: FlagTable, name: str, extra: dict[str, Any] | None, fix: str
) -> None:
    findings = found(table, {"kv-transfer-config": transfer(name, extra)})
    assert {each.code for each in findings} == {"VLLM006"}
    assert fix in [each.fix for each in findings]


def test_an_offloading_spec_is_one_that_this_vllm_has(table: FlagTable) -> None:
    extra = {"cpu_bytes_to_use": 1, "spec_name": "CPUSpec"}
    findings = found(table, {"kv-transfer-config": transfer("OffloadingConnector", extra)})
    assert f"use {' or '.join(table.offloading_specs)}" in [each.fix for each in findings if each.code == "VLLM006"]


def test_the_facts_speak_of_what_this_vllm_has(table: FlagTable, release: str) -> None:
    assert set(connectors(release)) == set(table.connectors)
    assert set(taken(release).all2all_backends) < set(table.flags["all2all-backend"].choices)
    read = variables(release)
    assert [name for name in taken(release).environment if name.startswith("VLLM_") and name not in read] == []
    assert not set(lmcache(release).settings) & set(lmcache(release).renamed)


def test_every_rule_shows_what_fails_and_what_passes() -> None:
    rules = [each for each in RULES.values() if each.subject == RoleSettings.__name__]
    assert rules
    for rule in rules:
        shown = [word for word in ("Fails:", "Warned:", "Noted:") if word in rule.explanation]
        assert shown, rule.code
        assert "Passes:" in rule.explanation or "Noted:" in rule.explanation, rule.code


def test_a_variable_of_another_version_comes_with_its_flag(table: FlagTable) -> None:
    (finding,) = found(table, env={"VLLM_ATTENTION_BACKEND": "FLASHINFER"})
    assert (finding.code, finding.fix) == ("VLLM008", "set args.attention-backend")
    (finding,) = found(table, env={"VLLM_NIXL_SIDECHANNEL_HOST": "x"})
    assert finding.fix == "did you mean VLLM_NIXL_SIDE_CHANNEL_HOST?"
    (finding,) = found(table, env={"VLLM_QQQ": "x"})
    assert finding.fix == "remove it"  # and no name that only begins like all others


def test_a_draft_model_runs_ahead_where_vllm_lets_it(table: FlagTable, release: str) -> None:
    config = {"method": "draft_model", "model": "a/b", "num_speculative_tokens": 3}
    expected = ["VLLM026"] if release == "v0.5.1" else []
    assert codes(table, {"speculative-config": config, "async-scheduling": True}) == expected
    padded = {"method": "mtp", "num_speculative_tokens": 1, "disable_padded_drafter_batch": True}
    assert codes(table, {"speculative-config": padded, "async-scheduling": True}) == ["VLLM026"]


def test_redundant_experts_that_do_not_divide_are_said_where_they_are_written(table: FlagTable) -> None:
    numbers = Numbers(data=16, data_local=8, routed_experts=256)
    findings = found(table, {**EPLB, "eplb-config": {"num_redundant_experts": 7}}, numbers=numbers)
    (finding,) = [each for each in findings if each.code == "VLLM012"]
    assert finding.at == (*ARGS, "eplb-config", "num_redundant_experts")


def test_kv_blocks_in_host_memory_are_left_to_the_pods_rules(table: FlagTable) -> None:
    args = {"kv-transfer-config": transfer("OffloadingConnector", {"cpu_bytes_to_use": 100 << 30})}
    numbers = Numbers(pod_memory_bytes=64 << 30)
    assert codes(table, args, numbers=numbers) == []
    assert codes(table, {"cpu-offload-gb": 100}, numbers=numbers) == ["VLLM027"]


def test_rope_scaling_that_nobody_reads_gives_no_longer_context(table: FlagTable) -> None:
    args = {"max-model-len": 131072, "hf-overrides": {"rope_scaling": YARN}}
    first, second = found(table, args, numbers=Numbers(max_position_embeddings=40960))
    assert (first.code, first.at) == ("VLLM019", (*ARGS, "max-model-len"))
    assert "write rope_parameters" in first.fix
    assert (second.code, second.at) == ("VLLM033", (*ARGS, "hf-overrides", "rope_scaling"))


def test_flags_of_other_versions_come_with_what_to_write(table: FlagTable, release: str) -> None:
    old = taken(release).old_flags
    assert not set(old) & set(table.flags)
    (finding,) = found(table, {"guided-decoding-backend": "xgrammar"})
    assert (finding.code, finding.fix) == ("VLLM001", "write structured-outputs-config: {backend: ...}")


@pytest.mark.parametrize("adapter", ["sql", "sql=", "a=b=c", 5, {"name": "sql"}, {"nmae": "sql", "path": "/x"}])
def test_an_adapter_is_a_name_and_a_path(table: FlagTable, adapter: Any) -> None:
    assert codes(table, {"enable-lora": True, "lora-modules": [adapter]})[:1] in (["VLLM002"], ["VLLM004"])
    for right in ("sql=/adapters/sql", {"name": "sql", "path": "/adapters/sql", "base_model_name": "a/b"}):
        assert codes(table, {"enable-lora": True, "lora-modules": [right]}) == []


def test_a_size_in_other_units_than_bytes_is_found(table: FlagTable) -> None:
    (finding,) = found(table, {"kv-transfer-config": transfer("OffloadingConnector", {"cpu_bytes_to_use": 100})})
    assert finding.fix == "write 107374182400 for 100 GiB"
