"""What vLLM's two ends compare before the first KV cache travels: where they differ, no transfer takes place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks.ends import both_ends
from llmdgen.engine.hybrid import NO_HYBRID
from llmdgen.facts.catalogue import release_toml
from llmdgen.kube.attention import FLAG as BACKEND
from llmdgen.kube.attention import backend, everywhere
from llmdgen.kube.container import Container
from llmdgen.kube.node import node_at, node_of
from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, rule
from llmdgen.untyped import mapping

LAYOUT = "VLLM_KV_CACHE_LAYOUT"
SPECULATION = "speculative-config"
WITHOUT_DRAFT = ("ngram", "suffix")  # ways of speculating that have no model, and so no KV cache, of their own


@rule("KVT001", "error", "prefill and decode with different attention backends")
def ends_share_the_attention_backend(servers: Servers) -> Iterator[Draft]:
    """vLLM's NixlConnector compares the name of the attention backend before a transfer, because it decides how KV
    blocks are laid out. vLLM chooses it by GPU and model: Blackwell has another than Hopper. Where the two ends differ,
    vLLM 0.15.1 computes each prompt again on decode, and later versions fail the request (read in vLLM's source and
    told by users, vllm pull request 29503).

    Fails:  `{path: pd-disaggregation, instanceTypes: [p6-b200.48xlarge], prefill: {instanceType: p5en.48xlarge}}`.
    Passes: `{path: pd-disaggregation}`, one generation for both roles; `{path: pd-disaggregation, instanceTypes:
            [p6-b200.48xlarge], prefill: {instanceType: p5en.48xlarge}, engine: {args: {attention-backend:
            TRITON_ATTN}}}`.
    """
    ends = both_ends(servers)
    if any(vllm.nixl is None for _, vllm in ends.values()):
        return
    named = {}
    for role, (workload, vllm) in ends.items():
        node = node_of(workload)
        named[role] = backend(vllm, node, servers.model, servers.release.name) if node is not None else None
    if len({*named.values()}) < 2 or None in named.values():
        return
    workload, vllm = ends["prefill"]
    common = everywhere(str(vllm.flags.get("kv-cache-dtype", "auto")), servers.model, servers.release.name)
    says = f"prefill runs {named['prefill']}, decode {named['decode']}, and vLLM refuses the transfer between them"
    fix = f"put both roles on one GPU generation, or set attention-backend: {common} in engine.args"
    yield workload.found(*(vllm.flag_at(BACKEND) if BACKEND in vllm.flags else node_at(workload)), says=says, fix=fix)


@rule("KVT002", "error", "prefill and decode with different KV cache layouts")
def ends_share_the_layout(servers: Servers) -> Iterator[Draft]:
    """The layout of KV blocks is part of NIXL's handshake. NIXL sets HND by itself; a variable that one role alone has
    makes every handshake fail.

    Fails:  `{path: pd-disaggregation, decode: {env: {VLLM_KV_CACHE_LAYOUT: NHD}}}`.
    Passes: `{path: pd-disaggregation}`, the variable in neither role; or alike in both.
    """
    yield from _differ(servers, LAYOUT, lambda vllm: vllm.sets(LAYOUT))


@rule("KVT003", "error", "a draft model on one side of the KV transfer")
def ends_share_the_draft_model(servers: Servers) -> Iterator[Draft]:
    """A draft model (EAGLE, MTP) has a KV cache of its own, and the two ends of a transfer must have as many regions:
    with one side alone every handshake fails (vllm issue 48221, pull request 49230). ngram has no model.

    Fails:  `{path: pd-disaggregation, model: {name: deepseek-ai/DeepSeek-R1-0528}, decode: {args: {speculative-config:
            {method: mtp, num_speculative_tokens: 1}}}}`.
    Passes: `{path: pd-disaggregation, model: {name: deepseek-ai/DeepSeek-R1-0528}, engine: {args: {speculative-config:
            {method: mtp, num_speculative_tokens: 1}}}}`, for both roles.
    """
    yield from _differ(servers, SPECULATION, _draft)


@rule("KVT004", "error", "the hybrid KV cache manager on one side of the KV transfer")
def ends_share_the_hybrid_manager(servers: Servers) -> Iterator[Draft]:
    """From vLLM 0.26 on, whether the hybrid KV cache manager is on is part of what the two ends compare.

    Fails:  `{path: pd-disaggregation, decode: {args: {disable-hybrid-kv-cache-manager: true}}}` with llm-d v0.9.0.
    Passes: `{path: pd-disaggregation, engine: {args: {disable-hybrid-kv-cache-manager: true}}}`, for both roles.
    """
    if NO_HYBRID in mapping(release_toml(servers.release.name, "engine.toml").get("nixl")).get("same", ()):
        yield from _differ(servers, NO_HYBRID, lambda vllm: vllm.flags.get(NO_HYBRID) is True)


def _differ(servers: Servers, name: str, read: Any) -> Iterator[Draft]:
    """A finding where the ends differ in a flag or variable, at the end that sets it."""
    ends = both_ends(servers)
    if any(vllm.nixl is None for _, vllm in ends.values()):
        return
    values = {role: read(vllm) for role, (_, vllm) in ends.items()}
    if len({repr(value) for value in values.values()}) < 2:
        return
    role = next(each for each in ("decode", "prefill") if values[each])
    workload, vllm = ends[role]
    place = vllm.env_at(name) if name == LAYOUT else vllm.flag_at(name)
    says = f"{role} alone sets {name}, and vLLM refuses the transfer between ends that differ in it"
    if all(values.values()):
        says = f"{name} is {values['prefill']} in prefill and {values['decode']} in decode"
    where = "engine.env" if name == LAYOUT else "engine.args"
    yield workload.found(*place, says=says, fix=f"set it for both roles, in {where}, or for none")


def _draft(vllm: Container) -> str | None:
    """What a container speculates with, where that has a KV cache of its own."""
    config = mapping(vllm.flags.get(SPECULATION))
    method = str(config.get("method") or config.get("model") or "")
    return None if not method or method in WITHOUT_DRAFT else method
