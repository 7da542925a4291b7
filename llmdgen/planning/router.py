"""What a request passes: the Gateway, as it is exposed, and the endpoint picker with its configuration."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from llmdgen.composition.contribution import Situation
from llmdgen.composition.fold import Folded
from llmdgen.facts.catalogue import table
from llmdgen.planning.launch import seconds
from llmdgen.planning.model import AUTO_MODE, GatewayPlan, RolePlan, SchedulerPlan
from llmdgen.scheduling.config import Asked, build
from llmdgen.scheduling.form import OMITTED, Throughput
from llmdgen.scheduling.tables import Tables, parameters_of, tables
from llmdgen.spec.model import Gateway

# How much of a prompt is matched, in blocks: at least the scheduler's own default of 256, at most 2048; and in tokens.
LEAST_BLOCKS, MOST_BLOCKS, MOST_TOKENS = 256, 2048, 131072
DIGEST_LENGTH = 16
PORT = 80  # of the Gateway


def gateway(asked: Gateway, settings: dict[str, Any]) -> GatewayPlan:
    balancer = asked.load_balancer
    annotations: dict[str, str] = {}
    if balancer is not None:
        own = {"type": "external"} if balancer.class_ is None else {}
        own |= {"scheme": balancer.scheme, "nlb-target-type": balancer.target_type}
        if balancer.class_ != AUTO_MODE:
            # A Network Load Balancer cuts a quiet stream after 350 s without a word.
            own[f"listener-attributes.TCP-{PORT}"] = f"tcp.idle_timeout.seconds={seconds(asked.idle_timeout)}"
        prefix = table("nlb.toml")["prefix"]
        annotations = {f"{prefix}aws-load-balancer-{name}": value for name, value in own.items()}
        annotations |= balancer.annotations
    return GatewayPlan(
        provider=asked.provider,
        settings=settings,
        service_type="LoadBalancer" if balancer else "ClusterIP",
        annotations=annotations,
        balancer_class=balancer.class_ if balancer else None,
    )


def scheduler(situation: Situation, folded: Folded, roles: tuple[RolePlan, ...]) -> SchedulerPlan:
    form, release = situation.scheduler, tables(situation.release.name)
    asked = situation.spec.asked.scheduler
    precise, numbers = folded.kv_events, _numbers(situation, folded, roles, release)
    tokens, paths = folded.non_cached_tokens, folded.asks
    config, scorers = build(Asked(form, release, paths, tokens, asked.weights, numbers))
    return SchedulerPlan(
        replicas=asked.replicas,
        config=config,
        digest=digest(config),
        scorers=scorers,
        tokenizer=precise and form.tokenizer == "sidecar",
        render_service=render_service(situation) if precise and form.tokenizer == "render" else None,
        kv_events_port=situation.engine["ports"]["kv_events"] if precise else None,
        kv_events_listener=form.kv_events.listens,
        notes=_notes(config, situation, roles),
    )


def digest(config: dict[str, Any]) -> str:
    """What changes with the configuration and with nothing else, short enough for a label."""
    return sha256(msgspec.json.encode(config, order="sorted")).hexdigest()[:DIGEST_LENGTH]


def render_service(situation: Situation) -> str:
    """The Service behind which model servers turn prompts into tokens for the scheduler."""
    return f"{situation.spec.name}-render"


def _numbers(situation: Situation, folded: Folded, roles: tuple[RolePlan, ...], release: Tables) -> dict[str, Any]:
    """Every number and name that parameters may hold."""
    form, engine, ports = situation.scheduler, situation.engine, situation.engine["ports"]
    block = roles[-1].block_size
    # An approximate producer raises a smaller block than its least: to the next multiple, then, of vLLM's.
    least = [release.plugins[view.type].get("least", {}).get("blockSizeTokens", 1) for view in form.views.values()]
    approximate = block * -(-max(least, default=1) // block)
    cpu = next((tier for tier in folded.tiers if tier.name == "cpu"), None)
    endpoints = sum(role.pods * role.ranks for role in roles)
    # Blocks of one endpoint, of the role that holds fewest: the scheduler must not count on blocks that are gone.
    uses = [(role, role.memory_use) for role in roles if role.memory_use]
    on_gpus = [use.kv_tokens * role.size.data_local // role.ranks // approximate for role, use in uses]
    in_memory = [
        cpu.bytes[role.name] // role.ranks // (use.stored_bytes_per_token * role.size.tensor * approximate)
        for role, use in uses
        if cpu
    ]
    peak = _peak(form.prefill_throughput, situation, roles) if form.prefill_throughput else None
    longest = max((use.max_model_len for _, use in uses), default=0)
    return {
        "block_size": block,
        "approximate_block": approximate,
        "prompt_blocks": min(max(-(-longest // block), LEAST_BLOCKS), MOST_BLOCKS),
        "prompt_tokens": min(longest or MOST_TOKENS, MOST_TOKENS),
        "gpu_blocks": max(1, min(on_gpus)) if on_gpus else OMITTED,
        "cpu_blocks": max(1, min(in_memory)) if in_memory else OMITTED,
        "pod_cache_size": max(form.pod_cache_size, endpoints),
        "cache_backends": list(form.cache_backends) if cpu else OMITTED,
        "peak_prefill": peak or (form.prefill_throughput.default if form.prefill_throughput else OMITTED),
        "non_cached_tokens": folded.non_cached_tokens,
        "hash_seed": engine["hash_seed"],
        "model": situation.spec.asked.model.name,
        "kv_events_port": ports["kv_events"],
        "render_url": f"http://{render_service(situation)}:{ports['service']}",
        "tokenizer_socket": f"{situation.settings['precise-prefix-cache'].get('socket_dir', '')}/tokenizer-uds.socket",
        "null": None,
    }


def _peak(throughput: Throughput, situation: Situation, roles: tuple[RolePlan, ...]) -> int | None:
    """The measured prefill throughput of the servers that compute prompts, None where nobody measured it."""
    role, model = roles[0], situation.spec.asked.model.name
    for row in throughput.measured:
        if (row.model, row.tensor) == (model, role.size.tensor) and row.gpu in role.node.instance.gpu.model.split():
            return row.tokens
    return None


def _notes(config: dict[str, Any], situation: Situation, roles: tuple[RolePlan, ...]) -> tuple[str, ...]:
    throughput = situation.scheduler.prefill_throughput
    uses = any("peakPrefillThroughput" in parameters_of(each) for each in config["plugins"])
    if throughput is None or not uses or _peak(throughput, situation, roles) is not None:
        return ()
    return (
        f"prefill throughput of {situation.spec.asked.model.name} on {roles[0].node.instance.gpu.model} was not "
        f"measured: the scheduler assumes {throughput.default} tokens a second of a server",
    )
