"""KV connectors: their names, what each of them reads, and what goes with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdgen.engine.checks.settings import RoleSettings, integer
from llmdgen.engine.checks.values import TRANSFER, field_problems, shown
from llmdgen.engine.derived import EXTRA, NO_HYBRID, connectors_in, hybrid_manager_off_by
from llmdgen.engine.facts import Connector, connectors, engine
from llmdgen.findings import Route
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean
from llmdgen.untyped import mapping

FLAG = "kv-transfer-config"
OFFLOADING = "OffloadingConnector"
CROSS_LAYERS = "enable_cross_layers_blocks"
LEAST_BYTES = 10**6  # a block of the smallest model that anybody serves has more
NIXL_DEVICES = ("cuda", "cpu")


@rule("VLLM005", "error", "a KV connector that this vLLM does not have")
def connector_exists(role: RoleSettings) -> Iterator[Draft]:
    """vLLM looks the connector up only when the engine starts, and stops there. Names are exact. A connector of your
    own is allowed where kv_connector_module_path names its module.

    Fails:  kv-transfer-config: {kv_connector: NixlConector, kv_role: kv_both}, inside MultiConnector too.
    Passes: kv-transfer-config: {kv_connector: NixlConnector, kv_role: kv_both}.
    """
    known = role.table.connectors
    for inside, transfer in connectors_in(role.args.get(FLAG)):
        name = transfer.get("kv_connector")
        if isinstance(name, str) and name not in known and not transfer.get("kv_connector_module_path"):
            says = f"vLLM {role.table.vllm} has no KV connector {shown(name)}"
            yield role.found(FLAG, *inside, "kv_connector", says=says, fix=did_you_mean(name, known))


@rule("VLLM006", "error", "a setting that a KV connector does not read")
def connector_reads_its_settings(role: RoleSettings) -> Iterator[Draft]:
    """kv_connector_extra_config goes to the connector unchecked: a key that it does not read does nothing, one that it
    needs stops the engine. NIXL's backends are a list of exact upper-case names; NIXL logs an unknown one and goes on
    without it, and reads a bare string letter by letter. Every connector needs a kv_role, and one inside a
    MultiConnector must not have an engine_id, which MultiConnector passes itself.

    Fails:  {kv_connector: NixlConnector, kv_role: kv_both, kv_connector_extra_config: {backends: libfabric}}
            {kv_connector: OffloadingConnector, kv_role: kv_both, kv_connector_extra_config: {num_cpu_blocks: 1000}}
            kv_connector_extra_config: {enable_cross_layers_blocks: true}, which no vLLM before 0.16 reads.
    Passes: {kv_connector: NixlConnector, kv_role: kv_both, kv_connector_extra_config: {backends: [LIBFABRIC]}}
    """
    given = role.args.get(FLAG)
    known = role.table.configs[TRANSFER].keys()  # a misspelt key is VLLM004's
    if isinstance(given, Mapping) and given.get("kv_connector") is None and given.keys() <= known:
        yield role.found(FLAG, says=f"--{FLAG} names no kv_connector", fix="add kv_connector, or remove it")
    for inside, transfer in connectors_in(given):
        name = transfer.get("kv_connector")
        if not isinstance(name, str) or transfer.get("kv_connector_module_path"):
            continue
        at = role.at(FLAG, *inside)
        if transfer.get("kv_role") is None:
            says = f"{name} has no kv_role, and vLLM refuses a connector without one"
            yield found(*at, says=says, fix="add kv_role: kv_both, kv_producer or kv_consumer")
        if inside and "engine_id" in transfer:
            says = "a connector inside MultiConnector cannot have an engine_id: MultiConnector passes its own"
            yield found(*at, "engine_id", says=says, fix="remove it", on_key=True)
        device = transfer.get("kv_buffer_device")
        if name == "NixlConnector" and isinstance(device, str) and device not in NIXL_DEVICES:
            says = f"NixlConnector has no kv_buffer_device {shown(device)} on NVIDIA GPUs"
            yield found(*at, "kv_buffer_device", says=says, fix="write cuda, or remove it")
        rules = connectors(role.release).get(name)
        if rules is not None:
            yield from _extra(role, name, rules, mapping(transfer.get(EXTRA)), at)


@rule("VLLM010", "error", "kv-offloading-size where it cannot work")
def offloading_is_a_connector(role: RoleSettings) -> Iterator[Draft]:
    """--kv-offloading-size makes vLLM choose a KV connector itself. Beside --kv-transfer-config it replaces the
    connector given there, so that prefill and decode no longer exchange anything; alone it stops the engine, because
    that connector cannot run with the hybrid KV cache manager and this flag, unlike --kv-transfer-config, leaves it on.

    Fails:  args: {kv-offloading-size: 100}.
    Passes: spec.cache: {cpu: {size: 100Gi}} with the path tiered-prefix-cache.
    """
    if role.args.get("kv-offloading-size") is None:
        return
    at, fix = role.at("kv-offloading-size"), "set spec.cache.cpu.size with the path tiered-prefix-cache"
    if role.args.get(FLAG) is not None:
        says = "--kv-offloading-size replaces the connector of --kv-transfer-config"
        yield found(*at, says=says, fix=fix, on_key=True)
    elif role.args.get("kv-offloading-size") == 0:
        yield found(*at, says="--kv-offloading-size 0 stops vLLM: its connector needs a size", fix="remove it")
    elif role.args.get("disable-hybrid-kv-cache-manager") is not True:
        says = "--kv-offloading-size alone stops vLLM: its connector cannot run with the hybrid KV cache manager"
        yield found(*at, says=says, fix=fix, on_key=True)


@rule("VLLM015", "error", "the hybrid KV cache manager forced on")
def hybrid_manager_is_off(role: RoleSettings) -> Iterator[Draft]:
    """vLLM switches the hybrid KV cache manager off by itself where something does not support it, unless the flag
    forces it on: then the engine stops. Up to llm-d v0.6.0 no KV connector does, nor do KV events; in v0.9.0
    LMCacheConnectorV1 alone does not.

    Fails:  args: {disable-hybrid-kv-cache-manager: false} in prefill/decode disaggregation of llm-d v0.6.0, or of
            v0.9.0 with cache {cpu: {connector: lmcache}}.
    Passes: the flag left out; the same in v0.9.0 without LMCache.
    """
    reason = hybrid_manager_off_by(role.args, engine(role.release))
    if role.args.get(NO_HYBRID) is False and reason:
        says = f"--no-{NO_HYBRID} cannot be combined with this --{reason}"
        yield role.found(NO_HYBRID, says=says, fix=f"remove {NO_HYBRID}")


def _extra(role: RoleSettings, name: str, rules: Connector, extra: Mapping[str, Any], at: Route) -> Iterator[Draft]:
    here = (*at, EXTRA)
    for key, value in extra.items():
        if key == CROSS_LAYERS and key in rules.unread and not role.spec_sets(FLAG):
            says = f"{name} does not read {key}"
            yield found("spec", "transfer", "crossLayersBlocks", says=says, fix=rules.unread[key])
        elif key in rules.unread:
            yield found(*here, key, says=f"{name} does not read {key}", fix=rules.unread[key], on_key=True)
        elif key in rules.keys:
            letters = key == "backends" and isinstance(value, str)
            for problem in field_problems(f"{name}: {key}", rules.keys[key], value, role.table, (key,)):
                fix = f"write [{value.upper()}]: NIXL reads text letter by letter" if letters else problem.fix
                yield found(*here, *problem.inside, says=problem.says, fix=fix)
        else:
            fix = did_you_mean(key, rules.keys) or "remove it"
            yield found(*here, key, says=f"{name} reads no {shown(key)}", fix=fix, on_key=True)
    for key in rules.required:
        # A value that is there is judged by its own rule, a key that only looks like this one by its advice.
        if extra.get(key) is None and not any(unread in extra for unread in rules.unread):
            yield found(*here, says=f"{name} does not start without {key}", fix=f"add {EXTRA}: {{{key}: ...}}")
    if name == OFFLOADING:
        yield from _offloading(role, extra, here)


def _offloading(role: RoleSettings, extra: Mapping[str, Any], here: Route) -> Iterator[Draft]:
    spec, specs = extra.get("spec_name"), role.table.offloading_specs
    if isinstance(spec, str) and spec not in specs and not extra.get("spec_module_path"):
        says = f"{OFFLOADING} has no spec_name {shown(spec)}"
        yield found(*here, "spec_name", says=says, fix=did_you_mean(spec, specs))
    size = integer(extra.get("cpu_bytes_to_use"))
    if size and 0 < size < LEAST_BYTES:
        says = f"{OFFLOADING}: cpu_bytes_to_use is in bytes, and {size} of them hold no block"
        yield found(*here, "cpu_bytes_to_use", says=says, fix=f"write {size << 30} for {size} GiB")
    block = integer(extra.get("block_size"))
    gpu_block = integer(role.args.get("block-size")) or engine(role.release)["block_size"]
    if block and block % gpu_block:
        says = f"{OFFLOADING}'s block_size {block} is not a multiple of vLLM's --block-size {gpu_block}"
        yield found(*here, "block_size", says=says, fix=f"write a multiple of {gpu_block}")
