"""What vLLM's two ends compare before the first KV cache travels, attention backends above all, what a GPU's attention
kernels can do, and OffloadingConnector where it does not work.

The last was read in vLLM's source or told by its users, and not seen on hardware here.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks.ends import TRANSFER_FLAG, both_ends, differing
from llmdgen.engine.derived import NO_HYBRID, hybrid_manager_off_by
from llmdgen.engine.facts import engine
from llmdgen.engine.numbers import whole
from llmdgen.kube.node import node_at, node_of
from llmdgen.kube.servers import Engine, Servers
from llmdgen.kube.vllm import (
    BACKEND,
    EXTRA,
    OFFLOADING,
    backend,
    cache_dtype,
    chosen,
    everywhere,
    generation,
    is_sparse,
)
from llmdgen.kube.workload import NIXL, Container
from llmdgen.registry import Draft, rule
from llmdgen.suggest import one_of
from llmdgen.untyped import mapping

LAYOUT = "VLLM_KV_CACHE_LAYOUT"
SPECULATION = "speculative-config"
WITHOUT_DRAFT = ("ngram", "suffix")  # ways of speculating that have no model, and so no KV cache, of their own
CROSS_LAYERS = "enable_cross_layers_blocks"
GPUS = {"9": "Hopper", "10": "Blackwell's B200 and B300"}  # data-centre generations, by compute capability


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
    ends = _nixl_ends(servers)
    named = {role: backend(vllm, servers.model) for role, vllm in ends.items()}
    if len({*named.values()}) > 1 and None not in named.values():
        vllm = ends["prefill"]
        common = everywhere(cache_dtype(vllm), servers.model, vllm.release)
        says = f"prefill runs {named['prefill']}, decode {named['decode']}, and vLLM refuses the transfer between them"
        fix = "put both roles on one GPU generation"
        fix += f", or set attention-backend: {common} in engine.args" if common else ""
        place = vllm.flag_at(BACKEND) if BACKEND in vllm.flags else node_at(vllm.workload)
        yield vllm.workload.found(*place, says=says, fix=fix)


@rule("KVT002", "error", "prefill and decode with different KV cache layouts", read=True)
def ends_share_the_layout(servers: Servers) -> Iterator[Draft]:
    """NIXL's handshake compares the layout of KV blocks, which NIXL sets to HND. A variable at one end makes it fail.

    Fails:  `{path: pd-disaggregation, decode: {env: {VLLM_KV_CACHE_LAYOUT: NHD}}}`.
    Passes: `{path: pd-disaggregation}`, the variable in neither role; or alike in both.
    """
    if _nixl_ends(servers):
        yield from differing(servers, LAYOUT, lambda vllm: vllm.sets(LAYOUT), variable=True)


@rule("KVT003", "error", "a draft model on one side of the KV transfer")
def ends_share_the_draft_model(servers: Servers) -> Iterator[Draft]:
    """A draft model (EAGLE, MTP) has a KV cache of its own, and the two ends of a transfer must have as many regions:
    with one side alone every handshake fails (vllm issue 48221, pull request 49230). ngram has no model.

    Fails:  `{path: pd-disaggregation, model: {name: deepseek-ai/DeepSeek-R1-0528}, decode: {args: {speculative-config:
            {method: mtp, num_speculative_tokens: 1}}}}`.
    Passes: `{path: pd-disaggregation, model: {name: deepseek-ai/DeepSeek-R1-0528}, engine: {args: {speculative-config:
            {method: mtp, num_speculative_tokens: 1}}}}`, for both roles.
    """
    if _nixl_ends(servers):
        yield from differing(servers, SPECULATION, _draft)


@rule("KVT004", "error", "the hybrid KV cache manager on one side of the KV transfer", read=True)
def ends_share_the_hybrid_manager(servers: Servers) -> Iterator[Draft]:
    """From vLLM 0.26 on, whether the hybrid KV cache manager is on is part of what the two ends compare.

    Fails:  `{path: pd-disaggregation, decode: {args: {disable-hybrid-kv-cache-manager: true}}}` with llm-d v0.9.0.
    Passes: `{path: pd-disaggregation, engine: {args: {disable-hybrid-kv-cache-manager: true}}}`, for both roles.
    """
    if NO_HYBRID in engine(servers.release.name).get("nixl", {}).get("same", ()) and _nixl_ends(servers):
        yield from differing(servers, NO_HYBRID, lambda vllm: vllm.flags.get(NO_HYBRID) is True)


@rule("KVT007", "warning", "failed reads of KV blocks that count as received", read=True)
def failed_reads_are_noticed(servers: Servers) -> Iterator[Draft]:
    """With the hybrid KV cache manager on, vLLM 0.26.0 does not mark the blocks of a failed NIXL read: the request goes
    on from whatever they held, and the prefix cache keeps them. Models with sliding windows can do without the manager,
    at up to twice the KV cache, and llmdgen switches it off for them. Those with linear attention cannot.

    Fails:  `{path: pd-disaggregation, model: {name: openai/gpt-oss-120b}, instanceTypes: [p5en.48xlarge], engine:
            {args: {disable-hybrid-kv-cache-manager: false}}}`; `{path: pd-disaggregation, model: {name:
            Qwen/Qwen3.5-397B-A17B-FP8}, instanceTypes: [p5en.48xlarge]}`.
    Passes: `{path: pd-disaggregation, model: {name: openai/gpt-oss-120b}, instanceTypes: [p5en.48xlarge]}`.
    """
    model, facts = servers.model, engine(servers.release.name)
    unmarked = facts.get("nixl", {}).get("failed_reads_unmarked_with_hybrid_manager", False)
    if model is None or not unmarked or not (model.layers.sliding or model.layers.linear):
        return
    for vllm in servers.engines:
        reads = vllm.nixl is not None and vllm.workload.role != "prefill"
        if reads and hybrid_manager_off_by(vllm.flags, facts) is None:
            fix = f"set {NO_HYBRID}: true in engine.args"
            if model.layers.linear:
                fix = "use a path without prefill servers, or watch vllm:nixl_num_failed_transfers on decode"
            at = vllm.flag_at(NO_HYBRID if NO_HYBRID in vllm.flags else TRANSFER_FLAG)
            says = f"with the hybrid KV cache manager vLLM takes failed reads of {model.id}'s KV cache for received"
            yield vllm.workload.found(*at, says=f"{says} ones", fix=fix)


@rule("KVT008", "error", "a state layout of linear attention that NIXL does not transfer", read=True)
def linear_state_has_its_layout(servers: Servers) -> Iterator[Draft]:
    """The worker of vLLM 0.26.0 asserts VLLM_SSM_CONV_STATE_LAYOUT=DS where NIXL transfers a model with linear
    attention, and dies otherwise.

    Fails:  `{path: pd-disaggregation, model: {name: Qwen/Qwen3.5-397B-A17B-FP8}, instanceTypes: [p5en.48xlarge],
            engine: {env: {VLLM_SSM_CONV_STATE_LAYOUT: SD}}}`.
    Passes: `{path: pd-disaggregation, model: {name: Qwen/Qwen3.5-397B-A17B-FP8}, instanceTypes: [p5en.48xlarge]}`,
            where the path sets it.
    """
    wanted = engine(servers.release.name).get("nixl", {}).get("hybrid_environment", {})
    for vllm in servers.engines if servers.model is not None and servers.model.layers.linear else ():
        for name, value in wanted.items() if vllm.nixl is not None else ():
            if vllm.variables.get(name) != value:
                says = f"{name} is {vllm.variables.get(name, 'unset')}, and vLLM stops where it is not {value}"
                yield vllm.workload.found(*vllm.env_at(name), says=says, fix=f"set {name}: {value}, or remove it")


@rule("VLLM034", "error", "an allocator that vLLM refuses beside a KV connector")
def allocator_suits_the_connector(vllm: Engine) -> Iterator[Draft]:
    """PyTorch's expandable segments may lie at other physical addresses later, where registered KV cache then points to
    nothing. vLLM 0.26.0 refuses them beside any KV connector.

    Fails:  `{path: pd-disaggregation, engine: {env: {PYTORCH_CUDA_ALLOC_CONF: "expandable_segments:True"}}}`.
    Passes: `{path: pd-disaggregation}`; the variable with inference-scheduling, which has no connector.
    """
    refused = engine(vllm.release).get("refused_beside_connectors", {})
    for name, value in refused.items() if vllm.connectors and not vllm.flags.get("enable-cumem-allocator") else ():
        if value in vllm.variables.get(name, ""):
            says = f"vLLM refuses {value} in {name} beside {vllm.connectors[0].get('kv_connector')}"
            yield vllm.workload.found(*vllm.env_at(name), says=says, fix=f"remove {value} from it")


def _nixl_ends(servers: Servers) -> dict[str, Container]:
    """Both ends of the transfer, where each has the NixlConnector."""
    ends = both_ends(servers)
    return {} if any(vllm.nixl is None for vllm in ends.values()) else ends


def _draft(vllm: Container) -> str | None:
    """What a container speculates with, where that has a KV cache of its own."""
    config = mapping(vllm.flags.get(SPECULATION))
    method = str(config.get("method") or config.get("model") or "")
    return None if not method or method in WITHOUT_DRAFT else method


@rule("KVT005", "error", "KV blocks across layers, which the GPU's attention kernels refuse")
def blocks_across_layers_run(servers: Servers) -> Iterator[Draft]:
    """OffloadingConnector alone, and NIXL with enable_cross_layers_blocks, keep one block for all layers. FlashInfer's
    kernels for Blackwell, which vLLM chooses there, assert a contiguous KV cache and stop the engine (vllm issues
    33572, 34158 and 33241; mended before vLLM 0.26).

    Fails:  `{path: tiered-prefix-cache, release: v0.6.0, instanceTypes: [p6-b200.48xlarge], cache: {cpu: {connector:
            offloading}}, engine: {args: {attention-backend: FLASHINFER}}}`.
    Passes: `{path: tiered-prefix-cache, release: v0.6.0, instanceTypes: [p6-b200.48xlarge], engine: {args:
            {attention-backend: TRITON_ATTN}}}`; `{path: tiered-prefix-cache, instanceTypes: [p6-b200.48xlarge]}` with
            llm-d v0.9.0; H200.
    """
    asserting = engine(servers.release.name).get("offloading", {}).get("asserts_contiguous", ())
    for vllm in servers.engines:
        node, runs = node_of(vllm.workload), backend(vllm, servers.model)
        # OffloadingConnector alone keeps one block for all layers, NIXL where it is told to.
        told = str(mapping(mapping(vllm.nixl).get(EXTRA)).get(CROSS_LAYERS)).lower() == "true"
        across = told or [each.get("kv_connector") for each in vllm.connectors] == [OFFLOADING]
        if node and generation(node) in asserting and across and runs == "FLASHINFER":
            common = everywhere(cache_dtype(vllm), servers.model, vllm.release)
            says = f"vLLM {servers.release.vllm} runs FLASHINFER on {node.name}, which stops at blocks across layers"
            fix = f"set attention-backend: {common} in engine.args"
            yield vllm.workload.found(*vllm.flag_at(TRANSFER_FLAG), says=says, fix=fix)


@rule("KVT006", "error", "OffloadingConnector beside NIXL, which allocates many times its size")
def offloading_beside_nixl(servers: Servers) -> Iterator[Draft]:
    """NIXL asks for another layout of KV blocks, in which vLLM 0.15.1's offloading takes the KV heads of a rank for the
    block size: of 100 GiB asked for it allocates 1600 and more, and the container is killed (vllm issue 34526, pull
    request 35125; seen with stub tensors). Models with multi-head latent attention are not concerned.

    Fails:  `{path: pd-disaggregation, with: [tiered-prefix-cache], release: v0.5.1, cache: {cpu: {connector:
            offloading}}}`.
    Passes: `{path: pd-disaggregation, with: [tiered-prefix-cache], release: v0.5.1, cache: {cpu: {connector:
            lmcache}}}`; `{path: pd-disaggregation, with: [tiered-prefix-cache], release: v0.6.0}` and later.
    """
    breaks = engine(servers.release.name).get("offloading", {}).get("breaks_beside_nixl")
    if not breaks or servers.model is None or servers.model.mla is not None:
        return
    for vllm in servers.engines:
        names = [each.get("kv_connector") for each in vllm.connectors]
        if NIXL in names and OFFLOADING in names:
            says = f"vLLM {servers.release.vllm} allocates many times the size that {OFFLOADING} is given beside {NIXL}"
            fix = "set cache.cpu.connector: lmcache, or use a later release"
            yield vllm.workload.found(*vllm.flag_at(TRANSFER_FLAG, EXTRA), says=says, fix=fix)
            return


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
        if node and generation(node) not in ("", *backends) and backends and not chosen(vllm):
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
