"""The endpoint picker's configuration, built from what the paths contribute.

The scheduler builds plugins in list order, so whatever refers to another plugin comes after it: scorers and filters
first, then the picker, the decider, and the profile handler that names the decider.
"""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Scorer, Situation
from llmdgen.composition.fold import Folded
from llmdgen.planning.model import RolePlan, SchedulerPlan

API_VERSION = "inference.networking.x-k8s.io/v1alpha1"
PREFIX = "prefix-cache-scorer"
PRECISE = "precise-prefix-cache-scorer"
CPU_PREFIX = "cpu-prefix-cache-scorer"
# How much of a prompt the prefix scorer matches: at least the scheduler's own default of 256 blocks, at most 2048.
LEAST_BLOCKS, MOST_BLOCKS = 256, 2048

Plugin = dict[str, Any]


def scheduler(situation: Situation, folded: Folded, roles: tuple[RolePlan, ...]) -> SchedulerPlan:
    """The EndpointPickerConfig and what the chart needs around it."""
    asked = situation.spec.spec.scheduler
    scorers = tuple(_weighed(_fitted(scorer, folded, roles), asked.weights) for scorer in folded.scorers)
    disaggregated = folded.non_cached_tokens is not None
    return SchedulerPlan(
        replicas=asked.replicas,
        config=_disaggregated(folded, scorers) if disaggregated else _single(scorers),
        scorers=scorers,
        tokenizer=any(scorer.type == PRECISE for scorer in scorers),
        kv_events_port=situation.engine["ports"]["kv_events"] if folded.kv_events else None,
    )


def _single(scorers: tuple[Scorer, ...]) -> dict[str, Any]:
    """One profile: score every server, take the best."""
    plugins = [{"type": "single-profile-handler"}, *_plugins(scorers), _picker(scorers)]
    return _config([], plugins, [{"name": "default", "plugins": _references(None, scorers)}])


def _disaggregated(folded: Folded, scorers: tuple[Scorer, ...]) -> dict[str, Any]:
    """A prefill and a decode profile, and a decider that says which requests are worth both."""
    by_prefix = bool(folded.non_cached_tokens) and any(scorer.type == PREFIX for scorer in scorers)
    decider: Plugin = {"type": "always-disagg-pd-decider"}
    if by_prefix:
        decider = {"type": "prefix-based-pd-decider", "parameters": {"nonCachedTokens": folded.non_cached_tokens}}
    plugins = [
        {"type": "prefill-header-handler"},
        *_plugins(scorers),
        {"type": "prefill-filter"},
        {"type": "decode-filter"},
        _picker(scorers),
        decider,
        {"type": "pd-profile-handler", "parameters": {"primaryPort": 0, "deciderPluginName": decider["type"]}},
    ]
    profiles = [
        {"name": "prefill", "plugins": _references("prefill-filter", scorers)},
        {"name": "decode", "plugins": _references("decode-filter", scorers)},
    ]
    return _config(["prepareDataPlugins"] if by_prefix else [], plugins, profiles)


def _config(gates: list[str], plugins: list[Plugin], profiles: list[dict[str, Any]]) -> dict[str, Any]:
    config: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "EndpointPickerConfig"}
    if gates:
        config["featureGates"] = gates
    return {**config, "plugins": plugins, "schedulingProfiles": profiles}


def _plugins(scorers: tuple[Scorer, ...]) -> list[Plugin]:
    found = []
    for scorer in scorers:
        plugin: Plugin = {"type": scorer.type}
        if scorer.name != scorer.type:
            plugin["name"] = scorer.name
        if scorer.parameters:
            plugin["parameters"] = scorer.parameters
        found.append(plugin)
    return found


def _picker(scorers: tuple[Scorer, ...]) -> Plugin:
    """The best by score; any, where nothing scores, as with wide expert parallelism, whose ranks share their load."""
    if scorers:
        return {"type": "max-score-picker"}
    return {"type": "random-picker", "parameters": {"maxNumOfEndpoints": 1}}


def _references(role_filter: str | None, scorers: tuple[Scorer, ...]) -> list[Plugin]:
    first = [{"pluginRef": role_filter}] if role_filter else []
    weighed = [{"pluginRef": scorer.name, "weight": scorer.weight} for scorer in scorers]
    return [*first, *weighed, {"pluginRef": _picker(scorers)["type"]}]


def _weighed(scorer: Scorer, weights: dict[str, float]) -> Scorer:
    if scorer.name not in weights:
        return scorer
    return Scorer(type=scorer.type, name=scorer.name, weight=weights[scorer.name], parameters=scorer.parameters)


def _fitted(scorer: Scorer, folded: Folded, roles: tuple[RolePlan, ...]) -> Scorer:
    """A scorer with the parameters that depend on the engine: block size, capacity, how far a prompt is matched."""
    decode = roles[-1]
    parameters = dict(scorer.parameters)
    if scorer.type == PRECISE:
        processor = {**parameters.pop("tokenProcessorConfig"), "blockSize": decode.block_size}
        parameters = {"tokenProcessorConfig": processor, **parameters}
        tiers = [tier for tier in folded.tiers if tier.name == "cpu"]
        if tiers:
            backends = [{"name": "gpu", "weight": 1.0}, {"name": "cpu", "weight": 0.8}]
            parameters["indexerConfig"] = {**parameters["indexerConfig"], "kvCacheBackendConfigs": backends}
    elif scorer.type == PREFIX:
        longest = max((role.memory_use.max_model_len for role in roles if role.memory_use), default=0)
        blocks = -(-longest // decode.block_size)
        parameters["maxPrefixBlocksToMatch"] = min(max(blocks, LEAST_BLOCKS), MOST_BLOCKS)
        if scorer.name == CPU_PREFIX:
            parameters |= {"blockSizeTokens": decode.block_size, "lruCapacityPerServer": _cpu_blocks(folded, roles)}
    return Scorer(type=scorer.type, name=scorer.name, weight=scorer.weight, parameters=parameters)


def _cpu_blocks(folded: Folded, roles: tuple[RolePlan, ...]) -> int:
    """KV blocks that the CPU tier of one server holds: its bytes over the bytes of a block on all its ranks.

    The smallest of the roles' capacities, so that the scheduler does not count on blocks that are gone.
    """
    tier = next(tier for tier in folded.tiers if tier.name == "cpu")
    capacities = [
        tier.bytes[role.name] // (role.memory_use.kv_bytes_per_token * role.size.tensor * role.block_size)
        for role in roles
        if role.memory_use
    ]
    return max(1, min(capacities, default=1))
