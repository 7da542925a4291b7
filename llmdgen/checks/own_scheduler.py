"""A scheduler configuration of the spec's own against the deployment that it schedules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks._endpoint_picker import BY_PREFIX, PRECISE, PREFIX, of_type, parameters_of
from llmdgen.checks.scheduler import AT, OVERRIDE, effective
from llmdgen.findings import Route
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule

HEARING = ("kvEventsConfig", "topicFilter"), ("kvEventsConfig", "discoverPods"), ("kvEventsConfig", "zmqEndpoint")
SOCKET = ("indexerConfig", "tokenizersPoolConfig", "uds", "socketFile")
MODEL = ("indexerConfig", "tokenizersPoolConfig", "modelName")
PODS = ("indexerConfig", "kvBlockIndexConfig", "inMemoryConfig", "podCacheSize")
DEFAULT_POD_CACHE = 10


@rule("EPP010", "error", "a scheduler configuration that does not hear the model servers")
def own_configuration_hears_events(plan: Plan) -> Iterator[Draft]:
    """With precise-prefix-cache every vLLM connects to one port of the scheduler's Service and publishes under a topic
    that begins with kv@; a sidecar tokenizes for the scheduler over one socket. A configuration in spec.values that
    says otherwise listens where nobody speaks: the index of cached blocks stays empty, without an error.

    Fails:  kvEventsConfig {topicFilter: kv-events@}; zmqEndpoint "tcp://*:5558"; discoverPods: true, which makes the
            scheduler connect to the pods; uds {socketFile: /tmp/other.socket}.
    Passes: what the path writes there, with another concurrency or index size.
    """
    written, config, at = _both(plan)
    if not written or config is None or plan.scheduler.kv_events_port is None:
        return
    own = _first(config)
    if own is None:
        says = f"model servers report their KV blocks, and no {PRECISE} listens"
        yield found(*at, says=says, fix=f"add a {PRECISE}, as values/router.yaml has it without this")
        return
    index, parameters = own
    for path in (*HEARING, SOCKET):
        wanted, given = _at(written, path), _at(parameters, path)
        if given == wanted or _same_port(given, wanted) or (path == SOCKET and not _at(parameters, path[:-1])):
            continue
        route: Route = (*at, "plugins", index, "parameters", *path)
        shown = "is missing" if given is None else f"is {_yaml(given)}"
        says = f"{'.'.join(path)} {shown}, and the deployment has {_yaml(wanted)}"
        yield found(*route, says=says, fix=f"write {path[-1]}: {_yaml(wanted)}")


@rule("EPP011", "warning", "a scheduler configuration that estimates the caches wrongly")
def own_configuration_knows_the_caches(plan: Plan) -> Iterator[Draft]:
    """The scheduler routes by what it believes the servers to hold. It forgets pods of a block that more pods share
    than podCacheSize, and it tokenizes with the model that the configuration names.

    Fails:  podCacheSize: 10 with 24 replicas; tokenizersPoolConfig {modelName: Qwen/Qwen3-8B} in front of
            Qwen/Qwen3-32B.
    Passes: podCacheSize: 24 there.
    """
    written, config, at = _both(plan)
    if config is None:
        return
    own = _first(config)
    if written and own is not None:
        index, parameters = own
        inner: Route = (*at, "plugins", index, "parameters")
        servers = sum(role.size.replicas * role.size.workers for role in plan.roles)
        kept = _at(parameters, PODS)
        kept = DEFAULT_POD_CACHE if kept is None else kept
        in_memory = _at(parameters, PODS[:-1]) is not None or _at(parameters, PODS[:-2]) is None
        if in_memory and isinstance(kept, int) and kept < servers:
            says = f"podCacheSize {kept} forgets pods: {servers} may share a block"
            yield found(*inner, *PODS, says=says, fix=f"write podCacheSize: {servers}")
        model, served = _at(parameters, MODEL), _at(written, MODEL)
        if isinstance(model, str) and model != served:
            says = (
                f"the scheduler tokenizes for {model}, the servers have {served}: with other tokens no block is found"
            )
            yield found(*inner, *MODEL, says=says, fix=f"write modelName: {served}")


@rule("EPP015", "error", "prefixes counted in other blocks than vLLM's")
def own_configuration_counts_in_blocks(plan: Plan) -> Iterator[Draft]:
    """With autoTune off, prefix-cache-scorer cuts prompts into blocks of its own size and remembers that many for each
    server. vLLM caches whole blocks: with another size the scheduler expects prefixes where there are none, and its
    capacity is not the server's.

    Fails:  prefix-cache-scorer {autoTune: false, blockSizeTokens: 64} beside --block-size 128.
    Passes: blockSizeTokens: 128; autoTune left on, which asks the servers.
    """
    config, at, inside = effective(plan)
    if not inside or config is None:
        return
    sizes = sorted({role.block_size for role in plan.roles})
    for index, scorer in of_type(config, PREFIX):
        given = parameters_of(scorer)
        size = given.get("blockSizeTokens")
        if given.get("autoTune") is False and isinstance(size, int) and size not in sizes:
            says = f"the scheduler counts blocks of {size} tokens, vLLM caches blocks of {sizes[0]}"
            route = (*at, "plugins", index, "parameters", "blockSizeTokens")
            yield found(*route, says=says, fix=f"write blockSizeTokens: {sizes[0]}, or remove autoTune: false")


@rule("EPP012", "error", "prefill servers that no prompt reaches")
def some_prompts_are_disaggregated(plan: Plan) -> Iterator[Draft]:
    """prefix-based-pd-decider asks a prefill server only for a prompt with that many tokens that are not cached yet. A
    number that no prompt can have, because vLLM refuses longer ones, leaves every prompt to decode and the prefill
    GPUs idle.

    Fails:  scheduler {nonCachedTokens: 64000} with max-model-len: 32000.
    Passes: scheduler {nonCachedTokens: 512} there.
    """
    length = next((role.flags.get("max-model-len") for role in plan.roles if role.name == "decode"), None)
    if length is None and plan.model is not None:
        length = plan.model.max_position_embeddings
    if not plan.disaggregated or isinstance(length, bool) or not isinstance(length, int) or length <= 0:
        return
    config, at, inside = effective(plan)
    for index, decider in of_type(config or {}, BY_PREFIX):
        tokens = parameters_of(decider).get("nonCachedTokens")
        if isinstance(tokens, int) and tokens >= length:
            route = (*at, "plugins", index, "parameters", "nonCachedTokens") if inside else (*AT, "nonCachedTokens")
            says = f"no prompt has {tokens} tokens that are not cached: vLLM takes {length} at most"
            yield found(*route, says=says, fix="write a smaller number, such as 512")


@rule("EPP013", "warning", "an index of cached blocks that a second scheduler does not share")
def one_scheduler_holds_the_index(plan: Plan) -> Iterator[Draft]:
    """Of several schedulers one leads, the others wait. The precise index of cached blocks is in the leader's memory:
    the one that takes over begins with none, and routes by the other scorers until the servers have reported anew.

    Fails:  scheduler {replicas: 2} with precise-prefix-cache.
    Passes: scheduler {replicas: 1} there; {replicas: 2} with inference-scheduling.
    """
    if plan.scheduler.replicas > 1 and plan.scheduler.kv_events_port is not None:
        says = f"{plan.scheduler.replicas} schedulers do not share the index of cached blocks: a new leader has none"
        yield found(*AT, "replicas", says=says, fix="set replicas: 1, or suppress this where a failover matters more")


@rule("EPP014", "error", "a scheduler configuration that nothing reads")
def own_files_are_read(plan: Plan) -> Iterator[Draft]:
    """pluginsCustomConfig may hold several files, and the scheduler reads the one that pluginsConfigFile names. Another
    changes nothing. Neither do scheduler.weights and nonCachedTokens, which are for the file that the paths write.

    Fails:  pluginsCustomConfig {my-plugins.yaml: ...} without pluginsConfigFile: the scheduler reads plugins.yaml;
            scheduler {weights: {queue-scorer: 2}} beside pluginsCustomConfig {plugins.yaml: ...}.
    Passes: pluginsConfigFile: my-plugins.yaml beside it, with the weights in it.
    """
    asked = plan.spec.spec.scheduler
    given = {"weights": bool(asked.weights), "nonCachedTokens": asked.non_cached_tokens is not None}
    for field in (name for name, set_ in given.items() if set_ and effective(plan)[2]):
        says = f"the configuration in spec.values replaces the one that {field} would change"
        yield found(*AT, field, says=says, fix="write it into that configuration, and remove it here", on_key=True)
    extension = plan.spec.spec.values.router.get("inferenceExtension")
    extension = extension if isinstance(extension, dict) else {}
    custom, name = extension.get("pluginsCustomConfig"), extension.get("pluginsConfigFile", "plugins.yaml")
    for file, text in custom.items() if isinstance(custom, dict) else ():
        if file != name and text is not None:
            says = f"the scheduler reads {name}, and nothing reads {file}"
            fix = f"set pluginsConfigFile: {file} beside it, or name it {name}"
            yield found(*OVERRIDE, "pluginsCustomConfig", file, says=says, fix=fix, on_key=True)


def _both(plan: Plan) -> tuple[dict[str, Any], dict[str, Any] | None, Route]:
    """The parameters that the path gives the precise scorer, the spec's own configuration and where that is."""
    config, at, inside = effective(plan)
    written = _first(plan.scheduler.config)
    return (written[1] if written else {}), (config if inside else None), at


def _first(config: dict[str, Any] | None) -> tuple[int, dict[str, Any]] | None:
    return next(((index, parameters_of(each)) for index, each in of_type(config or {}, PRECISE)), None)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _same_port(given: Any, wanted: Any) -> bool:
    """Whether both listen on one port of every address of the pod."""
    every = ("*", "0.0.0.0", "[::]")
    hosts = [text.removeprefix("tcp://").rpartition(":")[::2] for text in (given, wanted) if isinstance(text, str)]
    return (
        len(hosts) == 2 and hosts[0][1] == hosts[1][1] and all(host in every for host, _ in hosts) and "tcp://" in given
    )


def _yaml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"' if "*" in value else value
    return str(value).lower() if isinstance(value, bool) else str(value)
