"""Tokens, blocks and host memory, and flags that exclude or need each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdgen.engine.checks.settings import RoleSettings, integer, number
from llmdgen.engine.checks.values import shown
from llmdgen.engine.facts import engine, taken
from llmdgen.engine.numbers import whole
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of
from llmdgen.untyped import items, mapping

GIB = 1 << 30
OLD_QUANTIZATION = "allow-deprecated-quantization"
ALSO_IN_COMPILATION = ("cudagraph-capture-sizes", "max-cudagraph-capture-size")


@rule("VLLM013", "error", "a batch that is smaller than what it must hold")
def batch_holds_a_sequence(role: RoleSettings) -> Iterator[Draft]:
    """A step of vLLM schedules at most max-num-batched-tokens, and at least one token of each running sequence. Without
    chunked prefill a whole prompt must fit into one step.

    Fails:  args: {enable-chunked-prefill: false, max-num-batched-tokens: 8192, max-model-len: 32000}
            args: {max-num-batched-tokens: 512, max-num-seqs: 1024}
            args: {max-num-seqs: 4096} on g6e.48xlarge, where vLLM takes 2048 tokens a batch unless it is told.
    Passes: args: {max-num-batched-tokens: 8192, max-model-len: 32000}, prompts being split by default.
    """
    batch, sequences = whole(role.args.get("max-num-batched-tokens"), None), integer(role.args.get("max-num-seqs")) or 0
    length = context_length(role.args.get("max-model-len")) or role.numbers.max_position_embeddings
    in_one_step = role.args.get("enable-chunked-prefill") is False
    default = role.numbers.default_batch_tokens
    if batch is None and default is not None and (length or not in_one_step):
        default = max(default, length or 0) if in_one_step else default
        if sequences > default:
            takes = f"the {default} tokens of a batch that vLLM takes by default here"
            fix = f"set it to {default} or less, or add max-num-batched-tokens: {sequences}"
            yield role.found("max-num-seqs", says=f"max-num-seqs {sequences} is more than {takes}", fix=fix)
    elif batch is not None:
        at = role.at("max-num-batched-tokens")
        if in_one_step and length and batch < length:
            says = f"max-num-batched-tokens {batch} is less than max-model-len {length}, and chunked prefill is off"
            yield found(*at, says=says, fix=f"raise it to {length}, or leave chunked prefill on")
        if sequences and batch < sequences:
            says = f"max-num-batched-tokens {batch} is less than max-num-seqs {sequences}"
            yield found(*at, says=says, fix=f"raise it to {sequences} or more")


@rule("VLLM027", "error", "weights in more host memory than the pod has")
def offloading_fits_the_pod(role: RoleSettings) -> Iterator[Draft]:
    """--cpu-offload-gb keeps so much of the weights of each GPU in host memory, which counts against the container's
    memory: beyond it, it is killed. KV blocks there are FIT007's.

    Fails:  args: {cpu-offload-gb: 500} in a pod of 64Gi.
    Passes: resources: {memory: 600Gi} with one GPU.
    """
    memory, numbers = role.numbers.pod_memory_bytes, role.numbers
    if memory is None:
        return
    ranks = numbers.tensor * numbers.data_local
    offload = number(role.args.get("cpu-offload-gb")) or 0
    needed = offload * GIB * ranks
    if needed > memory:
        says = f"{offload:g} GiB of weights for each of {ranks} GPUs, the pod has {memory / GIB:.0f}Gi of memory"
        fix = f"raise resources.memory to {int(needed / GIB) + 16}Gi, or lower it"
        yield role.found("cpu-offload-gb", says=says, fix=fix)
    # Where it works at all: VLLM010.
    alone = not role.args.get("kv-transfer-config") and role.args.get("disable-hybrid-kv-cache-manager") is True
    native = (number(role.args.get("kv-offloading-size")) or 0) if alone else 0
    if native * GIB * numbers.data_local > memory:
        each = f" for each of {numbers.data_local} data parallel ranks" if numbers.data_local > 1 else ""
        says = f"kv-offloading-size is {native:.0f} GiB{each}, the pod has {memory / GIB:.0f}Gi of memory"
        fix = "lower it, or use spec.cache.cpu with tiered-prefix-cache, which sizes the pod for it"
        yield role.found("kv-offloading-size", says=says, fix=fix)


@rule("VLLM016", "error", "more swap space than vLLM allows")
def swap_space_fits_the_host(role: RoleSettings) -> Iterator[Draft]:
    """vLLM stops where swap space, counted for each tensor parallel rank, is more than 70 % of the host's memory.

    Fails:  args: {swap-space: 64} with parallelism: {tensor: 8} on a host of 512 GiB.
    Passes: args: {swap-space: 16} there.
    """
    memory, swap = role.numbers.host_memory_bytes, number(role.value("swap-space"))
    share = engine(role.release).get("swap_share_of_memory")
    if share is None or memory is None or swap is None:
        return
    limit = share * memory / GIB / role.numbers.tensor
    if swap > limit:
        host, ranks = f"{memory / GIB:.0f} GiB", role.numbers.tensor
        says = f"swap space of {swap:g} GiB for each of {ranks} ranks is over {share:.0%} of {host}"
        yield role.found("swap-space", says=says, fix=f"set args.swap-space to {int(limit)} or less")


@rule("VLLM021", "error", "flags that exclude or need each other")
def flags_go_together(role: RoleSettings) -> Iterator[Draft]:
    """vLLM refuses some flags without another, some values given in two places, and some that it no longer supports
    although its parser still takes them.

    Fails:  args: {enable-auto-tool-choice: true}; {max-num-partial-prefills: 2}; cudagraph-capture-sizes beside the
            same key in compilation-config.
    Passes: args: {enable-auto-tool-choice: true, tool-call-parser: openai}.
    """
    known = taken(role.release)
    yield from _needs(role)
    for flag, only in known.only.items():
        value = role.args.get(flag)
        if value is not None and (isinstance(only, str) or (integer(value) or 0) > only):
            says = f"vLLM {role.table.vllm} does not support --{flag} {shown(value)}"
            yield role.found(flag, says=says, fix="remove it", on_key=True)
    group, part = integer(role.value("offload-group-size")) or 0, integer(role.value("offload-num-in-group")) or 1
    if role.args.get("offload-backend") == "prefetch" and part > group:
        says = f"--offload-backend=prefetch takes {part} of each group of {group} layers"
        yield role.found("offload-backend", says=says, fix=f"set offload-group-size to {part} or more")
    compilation = mapping(role.args.get("compilation-config"))
    for flag in ALSO_IN_COMPILATION:
        key = flag.replace("-", "_")
        if role.args.get(flag) is not None and compilation.get(key) is not None:
            says = f"--{flag} and {key} of --compilation-config exclude each other"
            yield role.found(flag, says=says, fix="keep one of the two", on_key=True)
    most, held = integer(role.value("max-loras")), integer(role.args.get("max-cpu-loras"))
    if most and held is not None and held < most:
        says = f"max-cpu-loras {held} is less than max-loras {most}: every adapter on the GPU is in host memory too"
        yield role.found("max-cpu-loras", says=says, fix=f"set it to {most} or more")
    yield from _graphs(role, compilation)
    method = role.args.get("quantization")
    if method in known.deprecated_quantization and not role.args.get(OLD_QUANTIZATION):
        says = f"vLLM stops at the deprecated quantization {method} without --{OLD_QUANTIZATION}"
        yield role.found("quantization", says=says, fix=f"use another checkpoint, or add {OLD_QUANTIZATION}: true")
    at, operations = role.at("compilation-config", "custom_ops"), items(compilation.get("custom_ops"))
    for index, each in enumerate(operations):
        if isinstance(each, str) and each not in ("all", "none") and each[:1] not in ("+", "-"):
            says = f"custom_ops cannot hold {each}: it takes all, none, +name and -name"
            yield found(*at, index, says=says, fix=f"write +{each} or -{each}")
    if operations.count("all") + operations.count("none") > 1:
        yield found(*at, says="custom_ops takes all or none, once", fix="keep one of them")


def _graphs(role: RoleSettings, compilation: Mapping[str, Any]) -> Iterator[Draft]:
    """The sizes of CUDA graphs: the largest must be one of the sizes, where both are given."""
    largest = integer(role.args.get("max-cudagraph-capture-size"))
    if largest is None:
        return
    at = role.at("max-cudagraph-capture-size")
    given = role.args.get("cudagraph-capture-sizes") or compilation.get("cudagraph_capture_sizes")
    sizes = [each for each in given if integer(each)] if isinstance(given, list | tuple) else []
    if largest < 1 and role.args.get("enforce-eager") is not True:
        says = f"--max-cudagraph-capture-size cannot be {largest} while CUDA graphs are on"
        yield found(*at, says=says, fix="write 1 or more, or enforce-eager: true, which turns them off")
    elif sizes and max(sizes) != largest:
        says = f"--max-cudagraph-capture-size {largest} is not the largest of the capture sizes, {max(sizes)}"
        yield found(*at, says=says, fix="remove it")


def _needs(role: RoleSettings) -> Iterator[Draft]:
    """Flags, and keys of JSON flags, that need another beside them."""
    for path, (other, *allowed) in taken(role.release).needs.items():
        flag, *inside = path.partition("=")[0].split(".")
        beside, wanted = mapping(role.args.get(flag)) if inside else role.args, path.partition("=")[2]
        given = beside.get(inside[0] if inside else flag)
        missing = str(beside.get(other)).lower() not in allowed if allowed else not beside.get(other)
        if missing and (str(given).lower() == wanted if wanted else given not in (None, "" if inside else False)):
            what = f"--{': '.join([flag, *inside])}" + (f": {shown(given).strip(chr(39))}" if inside else "")
            of = "" if allowed in ([], ["true"]) else f" {one_of(allowed)}"
            says = f"{what} needs {'' if inside else '--'}{other}{of}"
            fix = f"write {other}: {allowed[0]}" if allowed else f"add {other}"
            yield role.found(flag, *inside, says=says, fix=fix, on_key=True)


def context_length(value: Any) -> int | None:
    """The context length, None where vLLM finds it itself."""
    length = whole(value, None)
    return length if length and length > 0 else None
