"""What a GPU's attention kernels can do with the model and with the size of its KV blocks."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.engine.facts import engine
from llmdgen.engine.numbers import whole
from llmdgen.kube.attention import backend, capability, chosen, is_sparse
from llmdgen.kube.node import node_at, node_of
from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, rule
from llmdgen.suggest import one_of

GPUS = {"9": "Hopper", "10": "Blackwell's B200 and B300"}  # data-centre generations, by compute capability


@rule("MOD026", "error", "sparse attention on GPUs without a kernel for it")
def sparse_attention_has_a_backend(servers: Servers) -> Iterator[Draft]:
    """GLM-5 and DeepSeek-V3.2 read chosen tokens of the KV cache alone. vLLM has kernels for that on a few generations
    of GPUs, and stops at start on others, for want of an attention backend.

    Fails:  `{path: wide-ep, model: {name: zai-org/GLM-5-FP8}, instanceTypes: [g6e.48xlarge]}`.
    Passes: `{path: wide-ep, model: {name: zai-org/GLM-5-FP8}, instanceTypes: [p5en.48xlarge]}`.
    """
    model, backends = servers.model, engine(servers.release.name)["attention"].get("sparse_mla", {})
    if model is None or not is_sparse(model):
        return
    for vllm in servers.engines:
        node = node_of(vllm.workload)
        number = capability(node) if node is not None else None
        if node is not None and number and number.partition(".")[0] not in backends and backends and not chosen(vllm):
            gpu = node.gpu.model.removeprefix("NVIDIA ")
            says = f"vLLM {servers.release.vllm} has no attention backend for {model.id} on {node.name} ({gpu})"
            fix = f"use an instance type with GPUs of {one_of(GPUS[each] for each in backends)}"
            yield vllm.workload.found(*node_at(vllm.workload), says=says, fix=fix)


@rule("VLLM022", "warning", "a block size that the attention backend does not take", read=True)
def block_size_is_kept(servers: Servers) -> Iterator[Draft]:
    """Attention with a compressed KV vector (MLA: DeepSeek, Kimi) has blocks of a size of its own. Of another, vLLM
    0.15.1 and 0.17.1 make 64 without an error, so that whoever counts blocks, such as the scheduler's prefix scorer,
    counts others than vLLM's; vLLM 0.26.0 takes a slower attention backend, or stops where there is none.

    Fails:  `{path: wide-ep, release: v0.6.0, engine: {args: {block-size: 16}}}` for deepseek-ai/DeepSeek-R1-0528;
            `{path: wide-ep, instanceTypes: [p6-b200.48xlarge], engine: {args: {block-size: 16}}}` with v0.9.0.
    Passes: `{path: wide-ep, engine: {args: {block-size: 128}}}`, or 64.
    """
    facts = engine(servers.release.name)
    if servers.model is None or servers.model.mla is None:
        return
    for vllm in servers.engines:
        size, runs = whole(vllm.flags.get("block-size"), 0), backend(vllm, servers.model)
        unit = facts["attention"].get("block_size", {}).get(runs, facts["mla_block_size"])
        if size and size % unit:
            says = f"{runs}, vLLM's choice for this attention (MLA), has no blocks of {size} tokens"
            if "block_size" not in facts["attention"]:
                says = f"vLLM makes blocks of {unit} tokens, not of {size}, for this attention (MLA)"
            yield vllm.workload.found(*vllm.flag_at("block-size"), says=says, fix="write 64 or 128")
