"""Tokens, blocks and host memory, and flags that exclude or need each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdgen.checks.registry import Draft, found
from llmdgen.engine.argv import human_int
from llmdgen.engine.checks.settings import RoleSettings, engine_rule, mapping, whole

GIB = 1 << 30
SWAP_SHARE = 0.7  # vllm/config/cache.py, verify_with_parallel_config
LONG_CONTEXTS = "VLLM_ALLOW_LONG_MAX_MODEL_LEN"
NEEDS = (
    ("enable-auto-tool-choice", "tool-call-parser"),
    ("enable-log-outputs", "enable-log-requests"),
)
ALSO_IN_COMPILATION = ("cudagraph-capture-sizes", "max-cudagraph-capture-size")
ONLY_DEFAULT = ("max-num-partial-prefills", "max-long-partial-prefills")


@engine_rule("VLLM013", "error", "a batch that is smaller than what it must hold")
def batch_holds_a_sequence(role: RoleSettings) -> Iterator[Draft]:
    """A step of vLLM schedules at most max-num-batched-tokens, and at least one token of each running sequence. Without
    chunked prefill a whole prompt must fit into one step.

    Fails:  args: {enable-chunked-prefill: false, max-num-batched-tokens: 8192, max-model-len: 32000}
            args: {max-num-batched-tokens: 512, max-num-seqs: 1024}
    Passes: args: {max-num-batched-tokens: 8192, max-model-len: 32000}, prompts being split by default.
    """
    batched = tokens(role.args.get("max-num-batched-tokens"))
    if batched is None:
        return
    at = role.at("max-num-batched-tokens")
    length = _length(role.args.get("max-model-len")) or role.numbers.max_position_embeddings
    if role.args.get("enable-chunked-prefill") is False and length and batched < length:
        says = f"max-num-batched-tokens {batched} is less than max-model-len {length}, and chunked prefill is off"
        yield found(*at, says=says, fix=f"raise it to {length}, or leave chunked prefill on")
    sequences = whole(role.args.get("max-num-seqs"))
    if sequences and batched < sequences:
        says = f"max-num-batched-tokens {batched} is less than max-num-seqs {sequences}"
        yield found(*at, says=says, fix=f"raise it to {sequences} or more")


@engine_rule("VLLM016", "error", "more swap space than vLLM allows")
def swap_space_fits_the_host(role: RoleSettings) -> Iterator[Draft]:
    """vLLM stops where swap space, counted for each tensor parallel rank, is more than 70 % of the host's memory.

    Fails:  args: {swap-space: 64} with parallelism: {tensor: 8} on a host of 512 GiB.
    Passes: args: {swap-space: 16} there.
    """
    memory, swap = role.numbers.host_memory_bytes, role.value("swap-space")
    if memory is None or isinstance(swap, bool) or not isinstance(swap, int | float):
        return
    limit = SWAP_SHARE * memory / GIB / role.numbers.tensor
    if swap > limit:
        says = (
            f"swap space of {swap:g} GiB for each of {role.numbers.tensor} ranks is over 70 % of {memory / GIB:.0f} GiB"
        )
        yield found(*role.at("swap-space"), says=says, fix=f"set args.swap-space to {int(limit)} or less")


@engine_rule("VLLM019", "error", "a context longer than the model's")
def context_is_the_models(role: RoleSettings) -> Iterator[Draft]:
    """vLLM stops where max-model-len is above what the model's config.json allows. A model is given a longer context by
    rope scaling in hf-overrides; VLLM_ALLOW_LONG_MAX_MODEL_LEN only silences vLLM and gives wrong output.

    Fails:  args: {max-model-len: 65536} for Qwen/Qwen3-32B, which has 40,960 positions.
    Passes: the same with hf-overrides: {rope_scaling: {rope_type: yarn, factor: 4.0, ...}}.
    """
    length, most = _length(role.args.get("max-model-len")), role.numbers.max_position_embeddings
    allowed = (role.env.get(LONG_CONTEXTS) or "0").lower() in ("1", "true")
    if length and most and length > most and not allowed and not _rescaled(mapping(role.args.get("hf-overrides"))):
        says = f"max-model-len {length} is more than the model's {most} positions"
        yield found(
            *role.at("max-model-len"), says=says, fix=f"set it to {most} or less, or scale rope in hf-overrides"
        )


@engine_rule("VLLM021", "error", "flags that exclude or need each other")
def flags_go_together(role: RoleSettings) -> Iterator[Draft]:
    """vLLM refuses some flags without another, some values given in two places, and some that it no longer supports
    although its parser still takes them.

    Fails:  args: {enable-auto-tool-choice: true}; {max-num-partial-prefills: 2}; cudagraph-capture-sizes beside the
            same key in compilation-config.
    Passes: args: {enable-auto-tool-choice: true, tool-call-parser: openai}.
    """
    for flag, needed in NEEDS:
        if role.args.get(flag) is True and not role.args.get(needed):
            yield found(*role.at(flag), says=f"--{flag} needs --{needed}", fix=f"add {needed}", on_key=True)
    compilation = mapping(role.args.get("compilation-config"))
    for flag in ALSO_IN_COMPILATION:
        key = flag.replace("-", "_")
        if role.args.get(flag) is not None and compilation.get(key) is not None:
            says = f"--{flag} and {key} of --compilation-config exclude each other"
            yield found(*role.at(flag), says=says, fix="keep one of the two", on_key=True)
    for flag in ONLY_DEFAULT:
        if role.args.get(flag) not in (None, 1):
            says = f"--{flag} above 1 is not supported by vLLM {role.table.vllm}"
            yield found(*role.at(flag), says=says, fix="remove it", on_key=True)
    if role.args.get("logits-processor-pattern") is not None:
        says = f"--logits-processor-pattern is not supported by vLLM {role.table.vllm}"
        yield found(*role.at("logits-processor-pattern"), says=says, fix="remove it", on_key=True)


@engine_rule("VLLM022", "warning", "a block size that vLLM changes")
def block_size_is_kept(role: RoleSettings) -> Iterator[Draft]:
    """Attention with a compressed KV vector (MLA: DeepSeek, Kimi) has blocks of 64 tokens or multiples of it: vLLM
    makes any other size 64 without an error. Whoever counts blocks, such as the scheduler's prefix scorer, must count
    by the size that vLLM really uses.

    Warned: args: {block-size: 16} for DeepSeek-R1.
    Passes: args: {block-size: 128} or 64 there.
    """
    size = whole(role.args.get("block-size"))
    if role.numbers.mla and size and size % 64:
        says = f"vLLM makes block size {size} 64 for this model's attention (MLA)"
        yield found(*role.at("block-size"), says=says, fix="write 64 or 128")


def tokens(value: Any) -> int | None:
    """A number of tokens as vLLM reads it, 32k included; None where it is none."""
    if isinstance(value, str):
        try:
            return human_int(value)
        except ValueError:
            return None
    return whole(value)


def _length(value: Any) -> int | None:
    """The context length, None where vLLM finds it itself."""
    length = tokens(value)
    return length if length and length > 0 else None


def _rescaled(overrides: Mapping[str, Any]) -> bool:
    keys = {"rope_scaling", "rope_parameters", "max_position_embeddings"}
    inner = mapping(overrides.get("text_config"))
    return bool(keys & (set(overrides) | set(inner)))
