"""Speculative decoding: what --speculative-config must say before the engine starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmdgen.engine.checks.settings import RoleSettings, integer
from llmdgen.engine.facts import taken
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import mapping

FLAG = "speculative-config"
# Draft models whose own config may say the number of tokens, as one that vLLM is left to recognise may.
SAYS_ITSELF = (None, "mlp_speculator")


@rule("VLLM026", "error", "speculative decoding that vLLM refuses")
def speculation_starts(role: RoleSettings) -> Iterator[Draft]:
    """vLLM checks --speculative-config when the engine starts: every method but suffix decoding needs a number of
    tokens, those with a draft model need its name, ngram's shortest match is no longer than its longest, and scheduling
    that runs ahead (--async-scheduling) goes with EAGLE and multi-token prediction alone.

    Fails:  speculative-config: {method: ngram}; {method: mtp}; {method: eagle3, num_speculative_tokens: 3}.
    Passes: speculative-config: {method: ngram, num_speculative_tokens: 3}.
    """
    config = mapping(role.args.get(FLAG))
    table = role.table.configs["SpeculativeConfig"]
    if not isinstance(role.args.get(FLAG), Mapping) or not set(config) <= set(table):
        return  # a misspelt key is VLLM004's, and may be what seems to be missing here
    at, method = role.at(FLAG), config.get("method")
    if method is not None and method not in table["method"].choices:
        return  # VLLM003's
    methods = taken(role.release).speculation
    predicts = method is not None and method.endswith("mtp")
    says_itself = bool(config.get("model")) and (predicts or method in SAYS_ITSELF)
    if not config.get("model") and not predicts and method not in methods["without_draft"]:
        says = f"speculative decoding {f'by {method} ' if method else ''}needs a draft model"
        yield found(*at, says=says, fix="add model: org/name, or method: ngram or mtp")
    elif config.get("num_speculative_tokens") is None and method != "suffix" and not says_itself:
        fix = f"add num_speculative_tokens: {1 if predicts else 3}"
        yield found(*at, says="num_speculative_tokens is missing", fix=fix)
    if config.get("tensor_parallel_size") is not None:
        says = "vLLM refuses tensor_parallel_size here"
        yield found(*at, "tensor_parallel_size", says=says, fix="write draft_tensor_parallel_size", on_key=True)
    shortest, longest = integer(config.get("prompt_lookup_min")), integer(config.get("prompt_lookup_max"))
    if method == "ngram" and shortest and longest and shortest > longest:
        says = f"prompt_lookup_min {shortest} is more than prompt_lookup_max {longest}"
        yield found(*at, "prompt_lookup_min", says=says, fix=f"write {longest} or less")
    draft = integer(config.get("draft_tensor_parallel_size"))
    if draft is not None and draft not in (1, role.numbers.tensor):
        says = f"draft_tensor_parallel_size {draft} is neither 1 nor the tensor parallel size {role.numbers.tensor}"
        yield found(*at, "draft_tensor_parallel_size", says=says, fix="remove it")
    if role.args.get("async-scheduling") is True:
        unpadded = "disable_padded_drafter_batch" if config.get("disable_padded_drafter_batch") is True else ""
        other = f"speculative decoding by {method}" if method in methods["in_step"] else unpadded
        if other:
            says = f"--async-scheduling cannot be combined with {other}"
            yield role.found("async-scheduling", says=says, fix="remove async-scheduling", on_key=True)
