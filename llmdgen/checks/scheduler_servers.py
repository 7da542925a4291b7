"""What a scheduler's configuration and the model servers have to agree on: blocks, hashes, events, capacities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.facts.catalogue import release_toml
from llmdgen.findings import Route
from llmdgen.registry import Draft, found, rule
from llmdgen.scheduling.document import Endpoints, Listed, SchedulerConfig
from llmdgen.scheduling.form import filled
from llmdgen.untyped import at, mapping

BLOCKS = ("blockSizeTokens", "blockSize")
IN_MEMORY = "indexerConfig.kvBlockIndexConfig.inMemoryConfig"
MODEL = "indexerConfig.tokenizersPoolConfig.modelName"
SOCKET = "indexerConfig.tokenizersPoolConfig.uds"
DEFAULT_BLOCK, DEFAULT_PODS, DEFAULT_PORT = 16, 10, 5557
EVENTS, CAPACITY = "kvEventsConfig", "lruCapacityPerServer"
EVERY_ADDRESS = ("*", "0.0.0.0", "[::]", "::")
TOLERANCE = 1.05


@rule("EPP005", "error", "scheduler and vLLM hash KV blocks differently")
def block_hashes_agree(config: SchedulerConfig) -> Iterator[Draft]:
    """Precise prefix routing hashes each prompt itself and looks the hashes up among the blocks that vLLM reports. With
    another block size, or another PYTHONHASHSEED where the scheduler's seed counts, none is ever found.

    Fails:  prefill {args: {block-size: 64}} and decode {args: {block-size: 128}}; env {PYTHONHASHSEED: "0"} with llm-d
            v0.6.0.
    Passes: one block size in engine.args, PYTHONHASHSEED left to the path.
    """
    for plugin in _precise(config):
        processor = mapping(plugin.at("tokenProcessorConfig"))
        key = next((each for each in BLOCKS if each in processor), BLOCKS[0] if _engines_listen(config) else BLOCKS[1])
        size, seed = processor.get(key, DEFAULT_BLOCK), str(processor.get("hashSeed", ""))
        here = ("plugins", plugin.index, "parameters", "tokenProcessorConfig")
        for each in config.servers:
            if each.block_size != size:
                says = f"{each.name} has blocks of {each.block_size} tokens, the scheduler counts blocks of {size}"
                everywhere = "set block-size in engine.args, for all roles"
                fix = f"set {key}: {each.block_size}" if config.inside else everywhere
                yield config.found(*here, key, says=says, fix=fix, instead=each.block_route)
            # From v0.9.0 on the scheduler hashes the tokens of the events itself.
            if each.hash_seed != seed and not _engines_listen(config):
                says = f"{each.name} hashes with PYTHONHASHSEED {each.hash_seed!r}, the scheduler with {seed!r}"
                fix = f'set hashSeed: "{each.hash_seed}"' if config.inside else "remove it, or make it the scheduler's"
                yield _either(config, each.seed_route, (*here, "hashSeed"), says, fix)


@rule("EPP007", "error", "KV events that do not reach the scheduler")
def events_reach_the_scheduler(config: SchedulerConfig) -> Iterator[Draft]:
    """vLLM publishes KV events under the topic, and at the address, of --kv-events-config. Up to llm-d v0.6.0 the
    scheduler listens on one port of its Service; from v0.9.0 on vLLM binds, which it does only where the address holds
    a *, and the scheduler connects. The topic begins with kv@, and holds the pod as this release's scheduler knows it:
    its address, with llm-d v0.6.0 its address and port.

    Fails:  args {kv-events-config: {enable_kv_cache_events: false}}; an endpoint with another port; the topic
            kv@$(POD_IP)@<model> with llm-d v0.6.0, which scores every server 0; podDiscoveryConfig {replaySocketPort:
            5559} and no replay_endpoint of vLLM.
    Passes: kv-events-config left to the path.
    """
    for plugin in _precise(config)[:1]:
        for each in config.servers:
            says, fix = _unheard(config, each, mapping(plugin.at(EVENTS)))
            if says:
                here = ("plugins", plugin.index, "parameters", EVENTS)
                yield _either(config, each.events_route, here, says, fix)


@rule("EPP010", "error", "a scheduler configuration that does not hear the model servers")
def configuration_hears_events(config: SchedulerConfig) -> Iterator[Draft]:
    """With precise-prefix-cache every vLLM reports its KV blocks, over one port and in one direction, and prompts
    become tokens in one place. A configuration that listens elsewhere has an empty index of blocks, without an error.

    Fails:  kvEventsConfig {topicFilter: kv-events@}; zmqEndpoint "tcp://*:5558"; discoverPods: true with llm-d v0.6.0,
            which makes the scheduler connect to the servers; podDiscoveryConfig without socketPort with v0.9.0, whose
            default is another than the servers' port; uds {socketFile: /tmp/other.socket}.
    Passes: what the path writes there, with another concurrency or index size.
    """
    if not config.inside or config.document is None:
        return
    speaking = next((each for each in config.servers if each.events), None)
    plugins = _precise(config)
    if speaking is not None and not plugins:
        known = config.tables.plugins.items()
        listening = [
            kind for kind, facts in known if EVENTS in facts.get("parameters", ()) and "deprecated_in" not in facts
        ]
        says = f"model servers report their KV blocks, and no {' or '.join(listening)} listens"
        yield config.found(says=says, fix="add one, as values/router.yaml has it without this")
        return
    for plugin in plugins:
        for path, value, wanted in _listening(config, plugin, speaking) if speaking is not None else ():
            shown = "is missing" if value is None else f"is {_yaml(value)}"
            says = f"{path} {shown}, and the servers have {_yaml(wanted)}"
            yield plugin.found_at(path, says=says, fix=f"write {path.rpartition('.')[2]}: {_yaml(wanted)}")
        file, socket = f"{SOCKET}.socketFile", config.tokenizer_socket
        if socket and plugin.at(SOCKET) and plugin.at(file) != socket:
            says = f"{file} is {plugin.at(file)}, and the tokenizer listens at {socket}"
            yield plugin.found_at(file, says=says, fix=f"write socketFile: {socket}")


@rule("EPP011", "warning", "a scheduler configuration that estimates the caches wrongly")
def configuration_knows_the_caches(config: SchedulerConfig) -> Iterator[Draft]:
    """The scheduler routes by what it believes the servers to hold. It forgets servers of a block that more of them
    share than podCacheSize, it tokenizes with the model that the configuration names, and a producer that does not tune
    itself takes every server to hold lruCapacityPerServer blocks, by default more than most do.

    Fails:  podCacheSize: 10 with 24 replicas; tokenizersPoolConfig {modelName: Qwen/Qwen3-8B} in front of
            Qwen/Qwen3-32B; lruCapacityPerServer of more than twice the blocks that fit a server's GPUs by estimate.
    Passes: podCacheSize: 24 there.
    """
    if not config.inside:
        return
    servers = sum(each.count for each in config.servers)
    for plugin in _precise(config):
        pods = f"{IN_MEMORY}.podCacheSize"
        kept = DEFAULT_PODS if plugin.at(pods) is None else plugin.at(pods)
        in_memory = plugin.at(IN_MEMORY) is not None or plugin.at(IN_MEMORY.rpartition(".")[0]) is None
        if in_memory and isinstance(kept, int) and kept < servers:
            says = f"podCacheSize {kept} forgets servers: {servers} may share a block"
            yield plugin.found_at(pods, says=says, fix=f"write podCacheSize: {servers}")
        yield from _model(plugin, MODEL)
    for plugin in config.of_kind("producer"):
        if "vllm" in plugin.parameters:
            yield from _model(plugin, "modelName")
        yield from _gpu_capacity(plugin)


@rule("EPP015", "error", "prefixes counted in other blocks than vLLM's")
def configuration_counts_in_blocks(config: SchedulerConfig) -> Iterator[Draft]:
    """Whoever guesses what servers hold cuts prompts into blocks and remembers as many as a server has. vLLM caches
    whole blocks: with another size the scheduler expects prefixes where there are none. With too large a capacity it
    sends requests to servers that dropped their blocks long ago; two that tune themselves count one cache twice.

    Fails:  prefix-cache-scorer {autoTune: false, blockSizeTokens: 64} beside --block-size 128; two of them that tune
            themselves; a lruCapacityPerServer of twice the CPU cache.
    Passes: blockSizeTokens: 128; with llm-d v0.9.0 a multiple of the block size, 64 at least.
    """
    if not config.inside:
        return
    guessing = _with(config, CAPACITY)
    tuned = [each.name for each in guessing if each.parameters.get("autoTune", True) is not False]
    if len(tuned) > 1:
        says = f"{' and '.join(tuned)} both tune themselves, and score one cache twice"
        yield config.found("plugins", says=says, fix="set autoTune: false for the cache in CPU memory")
    for each in guessing:
        least, size = each.facts.get("least", {}).get(BLOCKS[0], 0), each.parameters.get(BLOCKS[0], DEFAULT_BLOCK)
        if each.name in tuned or isinstance(size, bool) or not isinstance(size, int) or size <= 0:
            continue
        wrong = [one for one in config.servers if (size % one.block_size if least else size != one.block_size)]
        for one in wrong[:1]:
            block = one.block_size
            says = f"the scheduler counts blocks of {size} tokens, {one.name} caches blocks of {block}"
            fix = f"write {BLOCKS[0]}: {block * max(1, -(-least // block))}"
            tunes = "" if least else ", or remove autoTune: false"
            yield each.found_at(BLOCKS[0], says=says, fix=fix + tunes)
        known = [one for one in config.servers if one.cpu_bytes and one.token_bytes]
        rooms = [one.cpu_bytes // (one.token_bytes * max(size, least)) for one in known]
        views = config.form.views
        # Without producers whoever does not tune itself guesses at the cache in CPU memory.
        if not views or each.name == views["cpu"].called:
            yield from _misjudged(each, rooms, TOLERANCE, "a server's memory, where {} fit")


def _gpu_capacity(plugin: Listed) -> Iterator[Draft]:
    """The capacity of a producer that guesses at GPU memory, within a factor of two: the room is an estimate."""
    views, given = plugin.config.form.views, plugin.parameters
    guesses = {views[name].called for name in ("default", "gpu") if name in views}
    size = given.get(BLOCKS[0], DEFAULT_BLOCK)
    if plugin.name in guesses and given.get("autoTune") is False and isinstance(size, int) and size > 0:
        block = max(size, plugin.facts.get("least", {}).get(BLOCKS[0], 0))
        rooms = [each.gpu_tokens // block for each in plugin.config.servers if each.gpu_tokens]
        yield from _misjudged(plugin, rooms, 2, "a server's GPUs, where {} fit by estimate")


def _misjudged(plugin: Listed, rooms: list[int], most: float, where: str) -> Iterator[Draft]:
    """A capacity of more than `most` times the blocks that there is room for, or of less than half of them."""
    default = plugin.config.tables.defaults.get(plugin.type, {}).get(CAPACITY)
    default = default or release_toml(plugin.config.release, "engine.toml")["lru_capacity"]
    given, room = plugin.parameters.get(CAPACITY), min(rooms, default=0)
    capacity = default if given is None else given
    if rooms and isinstance(capacity, int) and not room / 2 <= capacity <= room * most:
        says = f"{plugin.name} counts on {capacity} blocks in {where.format(room)}"
        yield plugin.found_at(CAPACITY, says=says, fix=f"set {CAPACITY} to {room}")


def _either(config: SchedulerConfig, setting: Route, inside: Route, says: str, fix: str) -> Draft:
    """A finding at the setting of a spec, where it has one, else inside the configuration."""
    return found(*setting, says=says, fix=fix) if setting else config.found(*inside, says=says, fix=fix)


def _precise(config: SchedulerConfig) -> list[Listed]:
    """The plugins that listen to KV events."""
    return _with(config, EVENTS)


def _with(config: SchedulerConfig, parameter: str) -> list[Listed]:
    return [each for each in config.plugins if parameter in each.facts.get("parameters", ())]


def _engines_listen(config: SchedulerConfig) -> bool:
    return config.form.kv_events.listens == "engine"


def _unheard(config: SchedulerConfig, each: Endpoints, listening: dict[str, Any]) -> tuple[str, str]:
    """Why the events of these servers do not arrive, and what helps; two empty texts where they do."""
    given = each.events or {}
    if given.get("enable_kv_cache_events") is not True:
        fix = "leave kv-events-config to the path: it writes endpoint and topic too"
        return f"{each.name} reports no KV events", fix
    if given.get("publisher", "zmq") != "zmq":
        return "the scheduler listens for zmq only", "set publisher: zmq"
    host, port = _address(given.get("endpoint", ""))
    wanted = _port(config, listening)
    if _engines_listen(config):
        if host not in EVERY_ADDRESS:
            return f"vLLM binds no port for {given.get('endpoint')}", f"set endpoint: tcp://*:{wanted}"
    elif config.hosts and host not in config.hosts:
        says = f"the scheduler does not listen at {given.get('endpoint') or 'the default endpoint'}"
        return says, f"set endpoint: tcp://{config.hosts[-1]}:{wanted}"
    if port != str(wanted) and not config.inside:  # else EPP010 says it, where the scheduler listens
        says = f"the servers' events go over port {port or 'unknown'}, the scheduler's over {wanted}"
        return says, "make the two agree"
    replay = mapping(listening.get("podDiscoveryConfig")).get("replaySocketPort")
    if replay and not given.get("replay_endpoint"):
        says = f"the scheduler asks {each.name} for past events at port {replay}, and hears no later ones without them"
        return says, f"remove replaySocketPort, or add replay_endpoint: tcp://*:{replay} to kv-events-config"
    return _topic(config, str(given.get("topic", "")), each)


def _topic(config: SchedulerConfig, topic: str, each: Endpoints) -> tuple[str, str]:
    form = config.form.kv_events.topic
    port = str(config.pool_ports[0]) if config.pool_ports else "8000"
    fix = f"set topic: {filled(form, {'service_port': port, 'model': config.model or '<model>'})}"
    if "@" in config.model:
        return "", ""  # which no topic can carry: EPP006
    if not topic.startswith("kv@") or topic.count("@") != 2:
        return f"the scheduler drops events of the topic {topic!r}", fix
    _, pod, model = topic.split("@")
    if "{service_port}" in form and not _engines_listen(config) and ":" not in pod:
        return f"the scheduler knows servers by address and port, and the topic of {each.name} has no port", fix
    if _engines_listen(config) and config.model and model != config.model:
        return f"the topic of {each.name} ends in {model}, and requests ask for {config.model}", fix
    return "", ""


def _listening(config: SchedulerConfig, plugin: Listed, speaking: Endpoints) -> Iterator[tuple[str, Any, Any]]:
    """Where the plugin listens otherwise than these servers speak: the parameter, what it has, what it has to be."""
    events = speaking.events or {}
    topic, (_, port) = str(events.get("topic", "")), _address(events.get("endpoint", ""))
    given = mapping(plugin.at(EVENTS))
    topics, connects = given.get("topicFilter", "kv@"), given.get("discoverPods", True)
    if not topic.startswith(str(topics)):
        yield "kvEventsConfig.topicFilter", topics, "kv@"
    if connects is not _engines_listen(config):
        yield "kvEventsConfig.discoverPods", connects, _engines_listen(config)
    if _engines_listen(config):
        socket = at(given, "podDiscoveryConfig", "socketPort")
        if str(socket or DEFAULT_PORT) != port:
            yield "kvEventsConfig.podDiscoveryConfig.socketPort", socket, int(port) if port.isdigit() else port
    else:
        endpoint = given.get("zmqEndpoint")
        host, own = _address(endpoint)
        if not str(endpoint).startswith("tcp://") or host not in EVERY_ADDRESS or own != port:
            yield "kvEventsConfig.zmqEndpoint", endpoint, f"tcp://*:{port}"


def _port(config: SchedulerConfig, listening: dict[str, Any]) -> Any:
    if _engines_listen(config):
        return at(listening, "podDiscoveryConfig", "socketPort") or DEFAULT_PORT
    return _address(listening.get("zmqEndpoint", ""))[1] or DEFAULT_PORT


def _address(endpoint: Any) -> tuple[str, str]:
    host, _, port = str(endpoint).removeprefix("tcp://").rpartition(":")
    return host, port


def _model(plugin: Listed, path: str) -> Iterator[Draft]:
    model, served = plugin.at(path), plugin.config.model
    if served and isinstance(model, str) and model != served:
        says = f"the scheduler tokenizes for {model}, the servers have {served}: with other tokens no block is found"
        yield plugin.found_at(path, says=says, fix=f"write modelName: {served}")


def _yaml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"' if "*" in value else value
    return str(value).lower() if isinstance(value, bool) else str(value)
