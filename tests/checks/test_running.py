"""Configurations that every parser takes, and that then do not start, transfer nothing, or end badly: on models, types
and releases of each kind; and their neighbours, of which nothing is said."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from llmdgen.checks import load_all
from llmdgen.findings import Finding, SpecError
from llmdgen.registry import READ, RULES
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of

PD, WIDE, TIERED, PRECISE, PLAIN = (
    "pd-disaggregation",
    "wide-ep",
    "tiered-prefix-cache",
    "precise-prefix-cache",
    "inference-scheduling",
)
LLAMA, KIMI, MINIMAX = "meta-llama/Llama-3.3-70B-Instruct", "moonshotai/Kimi-K2-Instruct", "MiniMaxAI/MiniMax-M2.5"
LINEAR, SMALL_OSS, NVFP4 = "Qwen/Qwen3.5-397B-A17B-FP8", "openai/gpt-oss-20b", "nvidia/Qwen3-235B-A22B-NVFP4"
H200, B200, B300, H100 = "p5en.48xlarge", "p6-b200.48xlarge", "p6-b300.48xlarge", "p5.48xlarge"
NIXL = {"kv_connector": "NixlConnector", "kv_role": "kv_both"}
OFFLOADING = {"kv_connector": "OffloadingConnector", "kv_role": "kv_both"}
EXTRA = "kv_connector_extra_config"


def args(**flags: Any) -> dict[str, Any]:
    return {"args": {name.replace("_", "-"): value for name, value in flags.items()}}


def env(**variables: str) -> dict[str, Any]:
    return {"env": variables}


def judged(path: str, model: str, instance: str, release: str, sections: dict[str, Any]) -> list[Finding]:
    """What keeps the spec from a plan, or what the checks say of it; withdrawn images of old releases left out."""
    try:
        found = api.check(plan_of(path, model, instance, release=release, **sections))
    except SpecError as error:
        found = tuple(error.findings)
    return [each.finding for each in found if each.finding.code != "IMG002"]


BAD: list[tuple[str, str, str, str, str, dict[str, Any]]] = [
    # the two ends of a transfer
    ("KVT001", PD, LLAMA, B200, "v0.9.0", {"prefill": {"instanceType": H200}}),
    ("KVT001", PD, DEEPSEEK, B300, "v0.6.0", {"prefill": {"instanceType": H200}}),
    ("KVT002", PD, LLAMA, H200, "v0.9.0", {"prefill": env(VLLM_KV_CACHE_LAYOUT="NHD")}),
    (
        "KVT003",
        PD,
        LLAMA,
        H200,
        "v0.6.0",
        {"decode": args(speculative_config={"method": "eagle3", "model": "x/draft", "num_speculative_tokens": 3})},
    ),
    ("KVT004", PD, GPT_OSS, H200, "v0.9.0", {"prefill": args(disable_hybrid_kv_cache_manager=False)}),
    ("EFA015", PD, QWEN, H200, "v0.9.0", {"decode": args(kv_cache_dtype="fp8")}),
    # KV blocks in another layout than the kernels take
    ("KVT005", TIERED, LLAMA, B300, "v0.5.1", {"engine": args(attention_backend="FLASHINFER")}),
    ("KVT005", PD, LLAMA, B300, "v0.6.0", {"transfer": {"crossLayersBlocks": True}}),
    ("KVT006", PD, LLAMA, H200, "v0.5.1", {"with_": [TIERED], "cache": {"cpu": {"connector": "offloading"}}}),
    # failed reads, state of linear attention, allocator
    ("KVT007", PD, SMALL_OSS, H200, "v0.9.0", {"engine": args(disable_hybrid_kv_cache_manager=None)}),
    ("KVT007", PD, GPT_OSS, B200, "v0.9.0", {"engine": args(disable_hybrid_kv_cache_manager=False)}),
    ("KVT007", PD, LINEAR, H200, "v0.9.0", {}),
    ("KVT008", PD, LINEAR, H200, "v0.9.0", {"engine": env(VLLM_SSM_CONV_STATE_LAYOUT="SD")}),
    ("KVT008", PD, LINEAR, B200, "v0.9.0", {"decode": env(VLLM_SSM_CONV_STATE_LAYOUT="SD")}),
    ("VLLM034", PD, QWEN, H200, "v0.9.0", {"engine": env(PYTORCH_CUDA_ALLOC_CONF="expandable_segments:True")}),
    (
        "VLLM034",
        TIERED,
        LLAMA,
        B200,
        "v0.9.0",
        {"decode": env(PYTORCH_CUDA_ALLOC_CONF="max_split_size_mb:512,expandable_segments:True")},
    ),
    # connectors
    (
        "VLLM006",
        TIERED,
        QWEN,
        H200,
        "v0.9.0",
        {"engine": args(kv_transfer_config={**OFFLOADING, EXTRA: {"num_cpu_blocks": 9}})},
    ),
    ("EFA013", PD, QWEN, H200, "v0.6.0", {"engine": args(kv_transfer_config=NIXL)}),
    (
        "VLLM006",
        PD,
        QWEN,
        H200,
        "v0.9.0",
        {"engine": args(kv_transfer_config={**NIXL, EXTRA: {"backends": ["libfabric"]}})},
    ),
    ("VLLM010", PD, QWEN, H200, "v0.9.0", {"engine": args(kv_offloading_size=100)}),
    ("MOD011", TIERED, LINEAR, H200, "v0.9.0", {"cache": {"cpu": {"connector": "lmcache"}}}),
    (
        "EPP007",
        PRECISE,
        QWEN,
        H100,
        "v0.9.0",
        {
            "engine": args(
                kv_events_config={
                    "enable_kv_cache_events": True,
                    "publisher": "zmq",
                    "endpoint": "tcp://*:5556",
                    "topic": "kv@$(POD_IP):8000@other",
                }
            )
        },
    ),
    # experts
    ("MOD018", WIDE, GPT_OSS, H200, "v0.9.0", {"engine": args(enable_eplb=True)}),
    ("MOD018", WIDE, MINIMAX, H200, "v0.9.0", {"engine": args(enable_eplb=True)}),
    ("MOD029", WIDE, DEEPSEEK, H200, "v0.9.0", {"engine": args(eplb_config={"num_redundant_experts": 32})}),
    ("VLLM014", WIDE, KIMI, B200, "v0.9.0", {"engine": args(all2all_backend="pplx")}),
    ("VLLM014", WIDE, DEEPSEEK, H200, "v0.6.0", {"engine": args(all2all_backend="deepep_low_latency")}),
    ("VLLM011", WIDE, DEEPSEEK, H200, "v0.9.0", {"engine": args(enable_dbo=True)}),
    ("VLLM008", WIDE, DEEPSEEK, H200, "v0.9.0", {"engine": env(VLLM_MOE_DP_CHUNK_SIZE="384")}),
    # memory
    (
        "FIT013",
        TIERED,
        QWEN,
        H200,
        "v0.9.0",
        {
            "cache": {"cpu": {"size": "100Gi"}},
            "decode": {"parallelism": {"tensor": 1}, "resources": {"memory": "140Gi"}},
        },
    ),
    (
        "FIT017",
        TIERED,
        QWEN,
        H200,
        "v0.9.0",
        {"cache": {"cpu": {"size": "64Gi"}, "disk": {}}, "decode": {"resources": {"shm": "20Gi"}}},
    ),
    ("MOD027", PLAIN, LLAMA, H200, "v0.9.0", {"engine": args(gpu_memory_utilization=0.95)}),
    ("MOD028", PLAIN, NVFP4, H200, "v0.9.0", {}),
    ("MOD010", PLAIN, LINEAR, B300, "v0.5.1", {}),
    # starting and ending
    ("VER112", PLAIN, QWEN, H100, "v0.5.1", {"engine": env(VLLM_HTTP_TIMEOUT_KEEP_ALIVE="60")}),
    ("VER113", WIDE, DEEPSEEK, H200, "v0.5.1", {"engine": env(VLLM_ENGINE_READY_TIMEOUT_S="600")}),
    (
        "VER113",
        PLAIN,
        QWEN,
        H200,
        "v0.9.0",
        {"decode": {"parallelism": {"data": 4}, **env(VLLM_ENGINE_READY_TIMEOUT_S="900")}},
    ),
    ("VER114", PLAIN, QWEN, H100, "v0.9.0", {"decode": {"pod": {"terminationGracePeriodSeconds": 30}}}),
    ("VER114", PD, QWEN, H200, "v0.6.0", {"decode": {"pod": {"terminationGracePeriodSeconds": 60}}}),
    (
        "VER115",
        PD,
        QWEN,
        H200,
        "v0.9.0",
        {"decode": {"pod": {"containers": [{"name": "vllm", "securityContext": {"runAsUser": 2000}}]}}},
    ),
    ("POD001", PD, LLAMA, B200, "v0.6.0", {"decode": {"pod": {"securityContext": {"runAsUser": 0}}}}),
]

GOOD: list[tuple[str, str, str, str, dict[str, Any]]] = [
    # one end a group of several pods, whose NCCL is told its interfaces, the other a single pod
    (
        WIDE,
        DEEPSEEK,
        B200,
        "v0.9.0",
        {
            "prefill": {"parallelism": {"workers": 1, "dataLocal": 8}},
            "decode": {"parallelism": {"workers": 2, "dataLocal": 8}},
        },
    ),
    *((PD, LLAMA, B200, release, {}) for release in ("v0.5.1", "v0.6.0", "v0.9.0")),
    *((TIERED, QWEN, B200, release, {}) for release in ("v0.5.1", "v0.6.0", "v0.9.0")),
    *((WIDE, DEEPSEEK, H200, release, {}) for release in ("v0.5.1", "v0.6.0", "v0.9.0")),
    *((PRECISE, GPT_OSS, H200, release, {}) for release in ("v0.5.1", "v0.6.0", "v0.9.0")),
    *((PD, QWEN, H200, release, {"with_": [PRECISE]}) for release in ("v0.5.1", "v0.6.0", "v0.9.0")),
    (PLAIN, QWEN, H200, "v0.9.0", {"engine": env(PYTORCH_CUDA_ALLOC_CONF="expandable_segments:True")}),
    (PD, QWEN, H200, "v0.5.1", {"engine": env(PYTORCH_CUDA_ALLOC_CONF="expandable_segments:True")}),
    (PD, QWEN, H200, "v0.9.0", {"decode": args(speculative_config={"method": "ngram", "num_speculative_tokens": 3})}),
    (PD, LLAMA, B300, "v0.9.0", {"transfer": {"crossLayersBlocks": True}}),
    (PD, QWEN, H200, "v0.6.0", {"with_": [TIERED], "cache": {"cpu": {"connector": "offloading"}}}),
    (WIDE, DEEPSEEK, H200, "v0.9.0", {"engine": env(VLLM_ENGINE_READY_TIMEOUT_S="600")}),
    (PLAIN, QWEN, H100, "v0.9.0", {"decode": {"drain": "30s"}}),
    (PLAIN, LLAMA, H200, "v0.6.0", {"engine": args(gpu_memory_utilization=0.95)}),
    (PLAIN, LLAMA, H200, "v0.9.0", {"engine": args(gpu_memory_utilization=0.95, max_num_seqs=256)}),
    (TIERED, QWEN, H200, "v0.9.0", {"cache": {"disk": {"size": "1Ti"}, "storage": {"claim": "kv", "size": "4Ti"}}}),
]


@pytest.mark.parametrize(("code", "path", "model", "instance", "release", "sections"), BAD)
def test_what_does_not_run_is_told(
    code: str, path: str, model: str, instance: str, release: str, sections: dict[str, Any]
) -> None:
    assert code in {each.code for each in judged(path, model, instance, release, sections)}


@pytest.mark.parametrize(("path", "model", "instance", "release", "sections"), GOOD)
def test_what_runs_is_passed_without_a_warning(
    path: str, model: str, instance: str, release: str, sections: dict[str, Any]
) -> None:
    found = judged(path, model, instance, release, sections)
    assert [each.code for each in found if each.severity.value != "note"] == []


def test_a_fault_that_was_only_read_in_source_is_told_as_such() -> None:
    load_all()
    read = {code for code, rule in RULES.items() if rule.read}
    assert read == {
        *("FIT017", "FIT018", "KVT002", "KVT004", "KVT007", "KVT008", "MOD018", "MOD027", "MOD029"),
        *("PAR003", "VLLM022"),
    }
    told = [each for row in BAD for each in judged(*row[1:])]
    assert {each.code for each in told if each.says.endswith(f"({READ})")} == {each.code for each in told} & read


@pytest.mark.parametrize(("release", "on"), [("v0.6.0", None), ("v0.9.0", True)])
def test_prefixes_of_models_with_linear_attention_are_cached(release: str, on: bool | None) -> None:
    """vLLM 0.26.0 switches prefix caching off for them where it is not told otherwise."""
    assert plan_of(PLAIN, LINEAR, H200, release=release).roles[-1].flags.get("enable-prefix-caching") is on
    assert "enable-prefix-caching" not in plan_of(PLAIN, QWEN, H200, release=release).roles[-1].flags
