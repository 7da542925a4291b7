"""The memory estimate against start-up logs of vLLM that people published.

Calibration rows show only that the constants fit what they were set by. Test rows take weights, and graphs where the
log has them, from the log, so that they try the profile run and the rule alone; the blind ones take the card's memory
and nothing else. No log is of 0.15.1, 0.17.1 or 0.26.0: the estimates of the releases are extrapolations, to the margin
of engine.toml.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from llmdgen.engine.memory import margin, memory, weights_per_gpu
from llmdgen.engine.profile import profiled, usable
from llmdgen.engine.size import Size
from llmdgen.facts import catalogue
from llmdgen.facts.types import Experts, Gpu, Layers, ModelFacts
from llmdgen.quantities import GIB

H100, H200 = (
    Gpu(model="NVIDIA H100 SXM", count=8, memory_mib=81920),
    Gpu(model="NVIDIA H200", count=8, memory_mib=144384),
)
L40S = Gpu(model="NVIDIA L40S", count=1, memory_mib=45776)  # stands for all cards of 48 GB
SORTED, TRITON, NEWEST = "v0.5.1", "v0.6.0", "v0.9.0"  # the releases with that version's sampler


def size(tensor: int = 1, data: int = 1) -> Size:
    return Size(replicas=1, tensor=tensor, data=data, data_local=data, workers=1, expert=data > 1)


def shape(hidden: int, vocabulary: int, billions: float, layers: int, experts: Experts | None = None) -> ModelFacts:
    """A model that the catalogue does not know, by what the profile run depends on."""
    return ModelFacts(
        id="a/b",
        architecture="ForCausalLM",
        parameters=int(billions * 1e9),
        weight_bytes=0,
        weight_dtype="BF16",
        hidden_size=hidden,
        attention_heads=32,
        kv_heads=8,
        head_dim=128,
        layers=Layers(full=layers),
        experts=experts,
        max_position_embeddings=32768,
        vocab_size=vocabulary,
        sources=(),
    )


QWEN_30B = shape(2048, 151936, 30.5, 48, Experts(routed=128, per_token=8, intermediate_size=768))
MIXTRAL = shape(4096, 32000, 46.7, 32, Experts(routed=8, per_token=2, intermediate_size=14336))


@pytest.mark.parametrize(
    ("model", "tensor", "logged"),
    [
        (catalogue.model("meta-llama/Llama-3.1-8B-Instruct"), 1, 1.89),
        (catalogue.model("openai/gpt-oss-20b"), 1, 2.87),
        (shape(3584, 152064, 7.62, 28), 1, 2.21),  # Qwen2.5-7B
        (shape(4096, 151936, 8.19, 36), 1, 2.21),  # Qwen3-8B
        (shape(5120, 100352, 14.7, 40), 1, 1.52),  # phi-4
        (shape(5120, 131072, 23.6, 40), 1, 2.03),  # Mistral-Small
        (QWEN_30B, 1, 2.68),
        (MIXTRAL, 2, 1.21),
    ],
)
def test_calibration_the_torch_peak_of_vllm_0_19_on_h100(model: ModelFacts, tensor: int, logged: float) -> None:
    engine = catalogue.release_toml(TRITON, "engine.toml")
    settings = engine["memory"]
    outside = settings["non_torch_gib_several_gpus" if tensor > 1 else "non_torch_gib"]
    assert profiled(model, H100, size(tensor), engine, {}) / GIB - outside == pytest.approx(logged, rel=0.06)


GPT_OSS = catalogue.model("openai/gpt-oss-120b")
QWEN_235B = catalogue.model("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8")
CODER = catalogue.model("Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8")
QWEN_7B = shape(3584, 152064, 7.62, 28)
# Weights of the two are what makes the survey's own prediction; the logs themselves are not kept.
QWEN35_9B, QWEN35_4B = shape(4096, 248320, 9.3, 32), shape(2560, 248320, 4.7, 32)


@pytest.mark.parametrize(
    ("model", "gpu", "spread", "release", "args", "share", "weights", "graphs", "logged"),
    [
        pytest.param(GPT_OSS, H100, size(), SORTED, {}, 0.9, 65.97, 0, -2.14, id="vllm#23278, 0.10.1"),
        pytest.param(
            GPT_OSS, H100, size(), SORTED, {"max-num-batched-tokens": 1024}, 0.95, 65.97, 0, 1.71, id="#27508, 0.11"
        ),
        pytest.param(QWEN_235B, H100, size(4), SORTED, {}, 0.9, 55.0, 0, 8.11, id="vllm#21348, 0.9"),
        pytest.param(QWEN_7B, L40S, size(), TRITON, {}, 0.95, 14.25, 0.37, 26.32, id="Qwen2.5-7B, 0.22.0"),
        pytest.param(QWEN35_9B, L40S, size(), TRITON, {}, 0.9, 17.3, 0.37, 20.27, id="Qwen3.5-9B, 0.19.0"),
        pytest.param(QWEN35_4B, L40S, size(), TRITON, {}, 0.5, 8.9, 0.37, 11.11, id="Qwen3.5-4B, 0.22.0"),
        pytest.param(
            catalogue.model("zai-org/GLM-5-FP8"), H200, size(8), NEWEST, {}, 0.92, 94.46, 0, 25.94, id="GLM-5.3, 0.28.0"
        ),
        pytest.param(CODER, H200, size(1, 8), SORTED, {}, 0.9, None, 0, 48.66, id="blind: recipes#12, 0.10.1"),
        pytest.param(CODER, H200, size(1, 8), SORTED, {}, 0.95, None, 0, 55.65, id="blind: recipes#12 at .95"),
    ],
)
def test_other_logs_lie_within_the_margin(
    model: ModelFacts,
    gpu: Gpu,
    spread: Size,
    release: str,
    args: dict[str, Any],
    share: float,
    weights: float | None,
    graphs: float,
    logged: float,
) -> None:
    engine = catalogue.release_toml(release, "engine.toml")
    held = weights_per_gpu(model, spread) / GIB if weights is None else weights
    left = usable(gpu) / GIB * share - held - graphs - profiled(model, gpu, spread, engine, args) / GIB
    assert abs(left - logged) <= margin(spread, engine) / GIB


@pytest.mark.parametrize(
    ("model", "tensor", "instance", "expected"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 1, "p5.48xlarge", 56.6),
        ("Qwen/Qwen3-32B", 1, "p5.48xlarge", 9.9),
        ("Qwen/Qwen3-32B", 2, "p5.48xlarge", 39.1),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", 2, "p5.48xlarge", 35.6),
        ("openai/gpt-oss-120b", 1, "p5.48xlarge", 4.3),
        ("openai/gpt-oss-120b", 1, "p5en.48xlarge", 60),
        ("openai/gpt-oss-120b", 1, "p6-b200.48xlarge", 96),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", 4, "p5.48xlarge", 11),
        ("deepseek-ai/DeepSeek-R1-0528", 8, "p5en.48xlarge", 37),
    ],
)
def test_extrapolation_to_vllm_0_26(model: str, tensor: int, instance: str, expected: float) -> None:
    """Nobody logged these: what the formula said when it was tried, so that a change of it is seen."""
    engine = catalogue.release_toml(NEWEST, "engine.toml")
    use = memory(catalogue.model(model), catalogue.instance(instance), size(tensor), engine, {})
    assert use is not None
    assert use.kv / GIB == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(
    ("release", "tokens", "ranks", "gib"),
    [
        (NEWEST, 8192, 8, 17),
        (NEWEST, 8192, 16, 33),
        (NEWEST, 8192, 32, 64),
        (NEWEST, 2048, 8, 5.4),
        (NEWEST, 1024, 32, 8.9),
        (SORTED, 8192, 16, 8.3),
        (SORTED, 8192, 32, 11.8),
    ],
)
def test_extrapolation_the_buffers_of_many_ranks(release: str, tokens: int, ranks: int, gib: float) -> None:
    """DeepSeek-R1 over allgather_reducescatter, read in source: nothing cuts the workspace in 0.26."""
    engine = catalogue.release_toml(release, "engine.toml")
    model, args = catalogue.model("deepseek-ai/DeepSeek-R1-0528"), {"max-num-batched-tokens": tokens}
    settings = engine["memory"]
    fixed = settings["non_torch_gib_several_gpus"] + settings["graphs_gib"]
    assert profiled(model, H200, size(1, ranks), engine, args) / GIB - fixed == pytest.approx(gib, rel=0.05)


@pytest.mark.parametrize(
    ("batched", "length", "gib"), [(8192, 131072, 5.07), (2048, 131072, 4.65), (8192, 65536, 2.82)]
)
def test_a_request_takes_the_windows_of_its_sliding_layers(batched: int, length: int, gib: float) -> None:
    args = {"max-num-batched-tokens": batched, "max-model-len": length}
    engine = catalogue.release_toml(NEWEST, "engine.toml")
    use = memory(GPT_OSS, catalogue.instance("p5.48xlarge"), size(), engine, args)
    assert use is not None
    assert use.needed / GIB == pytest.approx(gib, abs=0.01)


@pytest.mark.parametrize(
    ("release", "args", "starts"),
    [
        (SORTED, {}, False),
        (SORTED, {"max-num-seqs": 128}, False),  # 5.7 GiB against 5.07 is less than the margin
        (SORTED, {"max-num-seqs": 128, "gpu-memory-utilization": 0.95}, True),
        (NEWEST, {}, False),
        (NEWEST, {"max-num-seqs": 256}, True),
        (NEWEST, {"gpu-memory-utilization": 0.95}, True),
        (NEWEST, {"max-model-len": 65536}, True),
        (NEWEST, {"max-model-len": 98304}, False),
    ],
)
def test_gpt_oss_on_one_h100_starts_only_with_other_settings(release: str, args: dict[str, Any], starts: bool) -> None:
    engine = catalogue.release_toml(release, "engine.toml") | {"hybrid_kv_off_with": []}
    use = memory(GPT_OSS, catalogue.instance("p5.48xlarge"), size(), engine, args)
    assert use is not None
    assert use.starts is starts


def test_the_second_runner_profiles_no_graphs_and_little_of_the_sampler() -> None:
    engine, llama = catalogue.release_toml(NEWEST, "engine.toml"), catalogue.model("meta-llama/Llama-3.1-8B-Instruct")
    second = profiled(llama, H100, size(), engine, {})
    ngram = profiled(llama, H100, size(), engine, {"speculative-config": {"method": "ngram"}})
    eager = profiled(llama, H100, size(), engine, {"enable-prompt-embeds": True, "enforce-eager": True})
    linear = structs.replace(llama, layers=Layers(full=8, linear=24), linear_state_bytes=1)
    assert second / GIB == pytest.approx(1.2, abs=0.1)
    assert ngram - eager == GIB
    assert profiled(linear, H100, size(), engine, {}) == ngram
