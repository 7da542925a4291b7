"""vLLM's OffloadingConnector where it does not work: read in source or told by users, and not seen on hardware here."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.facts.catalogue import release_toml
from llmdgen.kube.attention import backend, capability, everywhere
from llmdgen.kube.caches import EXTRA, OFFLOADING
from llmdgen.kube.container import NIXL, Container
from llmdgen.kube.node import node_of
from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, rule
from llmdgen.untyped import mapping

FLAG = "kv-transfer-config"
CROSS_LAYERS = "enable_cross_layers_blocks"


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
    facts = mapping(release_toml(servers.release.name, "engine.toml").get("offloading"))
    asserting = facts.get("asserts_contiguous", ())
    for workload, vllm in servers.engines:
        node = node_of(workload)
        number = capability(node) if node is not None else None
        if node is None or number is None or number.partition(".")[0] not in asserting or not _across_layers(vllm):
            continue
        runs = backend(vllm, node, servers.model, servers.release.name)
        if runs == "FLASHINFER":
            common = everywhere(str(vllm.flags.get("kv-cache-dtype", "auto")), servers.model, servers.release.name)
            says = f"vLLM {servers.release.vllm} runs FLASHINFER on {node.name}, which stops at blocks across layers"
            yield workload.found(*vllm.flag_at(FLAG), says=says, fix=f"set attention-backend: {common} in engine.args")


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
    facts = mapping(release_toml(servers.release.name, "engine.toml").get("offloading"))
    if not facts.get("breaks_beside_nixl") or servers.model is None or servers.model.mla is not None:
        return
    for workload, vllm in servers.engines:
        names = [each.get("kv_connector") for each in vllm.connectors]
        if NIXL in names and OFFLOADING in names:
            yield workload.found(
                *vllm.flag_at(FLAG, EXTRA),
                says=f"vLLM {servers.release.vllm} allocates many times the size that OffloadingConnector is given"
                " beside NixlConnector",
                fix="set cache.cpu.connector: lmcache, or use a later release",
            )
            return


def _across_layers(vllm: Container) -> bool:
    """Whether one block holds all layers: OffloadingConnector alone does so, NIXL where it is told to."""
    names = [each.get("kv_connector") for each in vllm.connectors]
    told = mapping(mapping(vllm.nixl).get(EXTRA)).get(CROSS_LAYERS)
    return names == [OFFLOADING] or str(told).lower() == "true"
