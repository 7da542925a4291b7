"""The scheduler's configuration as a whole: what its loader refuses or ignores, and whether it does what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks._endpoint_picker import faults
from llmdgen.facts.catalogue import release_toml
from llmdgen.kube.caches import offloaded as cpu_cache
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.invariants import scheduler
from llmdgen.verify.invariants.scheduler import Config, configs, name_of
from llmdgen.verify.rendered import Rendered

_PREFIX = "prefix-cache-scorer"
_LABEL_FILTERS = ("by-label", "by-label-selector")
_SAID_ELSEWHERE = (
    scheduler.configuration_is_readable,
    scheduler.plugin_references_exist,
    scheduler.referred_plugins_come_first,
    scheduler.feature_gates_are_set,
    scheduler.plugin_types_are_known,
    scheduler.plugin_parameters_are_known,
)


@rule("VER088", "error", "the scheduler refuses or ignores a part of its configuration")
def configuration_is_taken(rendered: Rendered) -> Iterator[Draft]:
    """What VER080 to VER085 leave: a weight below 0, a profile with two pickers or two profiles of one name, no profile
    handler or two, a parameter of the wrong type, a scorer that no profile refers to, a key that nothing reads.

    Fails:  weight: -2; a cpu-prefix-cache-scorer that stands in no profile.
    Passes: a configuration that the scheduler takes whole.
    """
    known = {each.at for rule in _SAID_ELSEWHERE for each in rule(rendered)}
    for config in configs(rendered):
        for fault in faults(config.doc, rendered.release.name):
            here = config.found(*fault.route, says=fault.says, fix=fault.fix)
            if not any(here.at[: len(each)] == each or each[: len(here.at)] == here.at for each in known):
                yield here


@rule("VER089", "error", "the scheduler does not send requests through both roles")
def profiles_tell_the_roles_apart(rendered: Rendered) -> Iterator[Draft]:
    """Disaggregation needs a filter in each profile, or decode requests end at prefill pods, and the
    prefill-header-handler, which writes the chosen prefill pod into the header that decode's sidecar reads: without it
    every prompt is computed by decode, without an error. A profile that names a plugin twice counts it twice.

    Fails:  a decode profile without decode-filter; no prefill-header-handler; prefix-cache-scorer twice in a profile.
    Passes: prefill-filter and decode-filter, each in its profile, and the header handler.
    """
    known = release_toml(rendered.release.name, "plugins.toml")["plugins"]
    for config in configs(rendered):
        for number, profile in enumerate(config.profiles):
            references = _references(profile)
            for name in dict.fromkeys(each for each in references if references.count(each) > 1):
                says = f"profile {profile.get('name')} refers to {name} {references.count(name)} times"
                yield config.found("schedulingProfiles", number, says=says, fix="name it once")
        handlers = [each for each in config.plugins if "splits" in mapping(known.get(str(each.get("type"))))]
        if not handlers or not any(each.role == "prefill" for each in rendered.model_servers):
            continue
        headers = [name for name, plugin in known.items() if plugin.get("kind") == "header"]
        if not any(each.get("type") in headers for each in config.plugins):
            says = f"without {headers[0]} no request names its prefill pod"
            yield config.found("plugins", says=says, fix=f"add {headers[0]}")
        handler = handlers[0]
        given = mapping(handler.get("parameters"))
        port = given.get("primaryPort")
        targets = [at(each, "number") for pool in rendered.pools for each in items(at(pool.doc, "spec", "targetPorts"))]
        if port and port not in targets:
            says = f"{name_of(handler)} sends requests to port {port}, the pool's ports are {targets}"
            yield config.found("plugins", says=says, fix="set primaryPort to 0 or to a port of the pool")
        for parameter, default in known[str(handler.get("type"))]["profiles"].items():
            role, name = str(default), at(given, *parameter.split(".")) or default
            for number, profile in enumerate(config.profiles):
                kinds = [_type(config, each) for each in _references(profile)]
                if profile.get("name") == name and not {f"{role}-filter", *_LABEL_FILTERS} & {*kinds}:
                    says = f"profile {name} takes pods of either role"
                    yield config.found("schedulingProfiles", number, says=says, fix=f"add {role}-filter to it")


@rule("VER019", "error", "a prefix cache is scored with the wrong size")
def prefix_scorers_know_the_cache(rendered: Rendered) -> Iterator[Draft]:
    """A prefix-cache-scorer tunes itself to the GPU cache from what vLLM reports. One for the cache in CPU memory
    cannot: it needs autoTune: false, vLLM's block size, and a capacity of no more blocks than that memory holds, or it
    scores the GPU's cache a second time, and sends requests to pods that dropped their blocks long ago.

    Fails:  two scorers that tune themselves; blockSizeTokens 64 and --block-size 128; no lruCapacityPerServer beside
            autoTune: false, where the cache holds fewer blocks than its default.
    Passes: autoTune: false, blockSizeTokens 128, lruCapacityPerServer of the smallest pod's cache.
    """
    facts = release_toml(rendered.release.name, "engine.toml")
    for config in configs(rendered):
        scorers = config.of_type(_PREFIX)
        tuned = [each for _, each in scorers if mapping(each.get("parameters")).get("autoTune", True) is True]
        if len(tuned) > 1:
            names = " and ".join(map(name_of, tuned))
            says = f"{names} both tune themselves, and score one cache twice"
            yield config.found("plugins", says=says, fix="set autoTune: false for the cache in CPU memory")
        for index, scorer in scorers:
            given = mapping(scorer.get("parameters"))
            if given.get("autoTune", True) is not False:
                continue
            place = ("plugins", index, "parameters")
            size = given.get("blockSizeTokens", facts["block_size"])
            for workload in rendered.model_servers:
                blocks = workload.vllm.size("block-size", facts["block_size"]) if workload.vllm else size
                if blocks != size:
                    says = f"{name_of(scorer)} counts blocks of {size} tokens, {workload} has --block-size {blocks}"
                    yield config.found(*place, says=says, fix=f"set blockSizeTokens to {blocks}")
            capacity, room = given.get("lruCapacityPerServer", facts["lru_capacity"]), _room(rendered, size)
            if room and isinstance(capacity, int) and (capacity > room * 1.05 or capacity < room / 2):
                says = f"{name_of(scorer)} counts on {capacity} blocks in a pod's memory, where {room} fit"
                yield config.found(*place, says=says, fix=f"set lruCapacityPerServer to {room}")


@rule("VER078", "error", "the scheduler reads a metric that vLLM does not have")
def scheduler_reads_vllms_metrics(rendered: Rendered) -> Iterator[Draft]:
    """kv-cache-utilization-scorer goes by a metric of each pod, whose name the scheduler gets by flag. Its default is
    that of vLLM before 0.10; under a name that vLLM does not have every pod looks empty, without an error.

    Fails:  no flag kv-cache-usage-percentage-metric; vllm:kv_cache_usage.
    Passes: kv-cache-usage-percentage-metric: vllm:kv_cache_usage_perc.
    """
    wanted = {name: str(value) for name, value in rendered.release.scheduler_flags.items() if name.endswith("-metric")}
    for workload in rendered.workloads:
        for container in workload.containers:
            flags = container.sidecar_flags
            if "config-file" not in flags or "pool-name" not in flags:
                continue
            for name, value in wanted.items():
                if flags.get(name) != value:
                    says = f"--{name} is {flags.get(name, 'not set')}, vLLM's metric is {value}"
                    yield found(*container.route, "args", says=says, fix=f"set {name}: {value}", of=workload.manifest)


def _room(rendered: Rendered, block_size: Any) -> int:
    """How many blocks the smallest CPU cache of a pod holds, 0 where that is not known."""
    rooms: list[int] = []
    for workload in rendered.model_servers:
        cache = cpu_cache(workload.vllm) if workload.vllm is not None else 0
        stated = mapping(rendered.allocation(workload.role).get("kvCache")).get("bytesPerTokenAndGpu")
        if cache and workload.vllm is not None and isinstance(stated, int) and isinstance(block_size, int):
            rooms.append(cache // (stated * workload.vllm.size("tensor-parallel-size", 1) * block_size or 1))
    return min(rooms, default=0)


def _references(profile: dict[str, Any]) -> list[str]:
    return [str(mapping(each).get("pluginRef")) for each in items(profile.get("plugins"))]


def _type(config: Config, name: str) -> str:
    return next((str(each.get("type")) for each in config.plugins if name_of(each) == name), "")
