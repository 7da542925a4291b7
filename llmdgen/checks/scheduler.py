"""The endpoint picker: weights, its configuration, and what it must agree on with every vLLM."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from llmdgen.checks._endpoint_picker import BY_PREFIX, PRECISE, faults, of_type, parameters_of, splitting
from llmdgen.facts.catalogue import release_toml
from llmdgen.findings import Route
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import Draft, found, rule
from llmdgen.spec.text_blocks import BROKEN
from llmdgen.suggest import did_you_mean
from llmdgen.untyped import mapping

AT = ("spec", "scheduler")
OVERRIDE = ("spec", "values", "router", "inferenceExtension")
DEFAULT_BLOCK_SIZE = 16
EVENTS_FLAG = "kv-events-config"


@rule("EPP001", "error", "a weight for a scorer that the plan does not have")
def weights_name_scorers(plan: Plan) -> Iterator[Draft]:
    """scheduler.weights changes the weight of scorers that the paths bring; it adds none. A weight under another name
    would change nothing.

    Fails:  weights {prefix-scorer: 3}; weights {queue-scorer: 2} with wide-ep alone, which has no scorers.
    Passes: weights {prefix-cache-scorer: 3} with inference-scheduling.
    """
    names = [scorer.name for scorer in plan.scheduler.scorers]
    for name in plan.spec.spec.scheduler.weights:
        if name not in names:
            has = f"{' with '.join(plan.paths)} has {' and '.join(names) or 'no scorers'}"
            says, fix = f"there is no scorer {name}: {has}", did_you_mean(name, names) or "remove it"
            yield found(*AT, "weights", name, says=says, fix=fix, on_key=True)


@rule("EPP002", "error", "a weight that is no weight")
def weights_are_positive(plan: Plan) -> Iterator[Draft]:
    """A scorer's weight multiplies its score. A negative one prefers the worst server, and one that is no finite number
    makes every sum so.

    Fails:  weights {queue-scorer: -1}; weights {queue-scorer: .inf}.
    Passes: weights {queue-scorer: 2.5}.
    """
    for name, weight in plan.spec.spec.scheduler.weights.items():
        if not isfinite(weight) or weight < 0:
            says = f"the weight of {name} is {weight:g}"
            yield found(*AT, "weights", name, says=says, fix="write a number above 0, such as 1 or 2.5")


@rule("EPP008", "warning", "scorers that do not score")
def something_scores(plan: Plan) -> Iterator[Draft]:
    """A scorer of weight 0 is asked and not heard. Where all weights are 0, requests go to any server.

    Fails:  inference-scheduling with all three weights 0.
    Passes: one weight above 0.
    """
    scorers, weights = plan.scheduler.scorers, plan.spec.spec.scheduler.weights
    if weights and scorers and not any(scorer.weight for scorer in scorers):
        says = "every scorer has weight 0, so that requests go to any server"
        yield found(*AT, "weights", says=says, fix="give one of them a weight above 0")


@rule("EPP003", "error", "a scheduler configuration that does not do what it says")
def configuration_is_sound(plan: Plan) -> Iterator[Draft]:
    """The scheduler exits at an unknown plugin type, at a reference to a plugin that does not come before it, and at
    a profile that is missing; it ignores unknown parameters, and prefix-based-pd-decider without the feature gate
    prepareDataPlugins or without a prefix-cache-scorer sends every request to decode alone, all without an error.

    Fails:  pd-profile-handler before its decider; threshold and hashBlockSize of pd-profile-handler; blockSize alone of
            prefix-cache-scorer; pluginsConfigFile with a name that pluginsCustomConfig does not have.
    Passes: the configuration that the paths make, with other weights.
    """
    config, at, inside = effective(plan)
    extension = mapping(plan.spec.spec.values.router.get("inferenceExtension"))
    custom = extension.get("pluginsCustomConfig")
    name = _config_file(extension)
    if isinstance(custom, dict):
        for file, text in custom.items():
            if not isinstance(text, str):
                says = f"{file} is not text, and the ConfigMap takes nothing else"
                fix = "write it as a text block, with |"
                yield found(*OVERRIDE, "pluginsCustomConfig", file, says=says, fix=fix, on_key=True)
    if "pluginsConfigFile" in extension and name not in {"plugins.yaml", "default-plugins.yaml", *mapping(custom)}:
        says = f"there is no {name} among the scheduler's files"
        yield found(*OVERRIDE, "pluginsConfigFile", says=says, fix="add it to pluginsCustomConfig, or remove this")
    if name == "default-plugins.yaml" and (plan.disaggregated or plan.scheduler.kv_events_port is not None):
        says = f"{name} is the chart's own, which knows neither prefill servers nor KV events"
        yield found(*OVERRIDE, "pluginsConfigFile", says=says, fix="remove it: the paths make plugins.yaml")
        return
    if config is None:
        says, fix = "it is not YAML that can be read", "correct the YAML of the text block"
        yield found(*at, BROKEN, says=f"{says}{_reason(plan, at)}", fix=fix)
        return
    if not inside:
        return
    for fault in faults(config, plan.release.name):
        where = f"{_dotted(fault.route)}: " if fault.route else ""
        yield found(*at, *fault.route, says=where + fault.says, fix=fault.fix, on_key=fault.on_key)
    yield from _agrees_with_roles(plan, config, at)


@rule("EPP004", "error", "nonCachedTokens that nothing reads")
def decider_has_a_choice(plan: Plan) -> Iterator[Draft]:
    """scheduler.nonCachedTokens decides between a prefill server and decode alone. Without prefill servers there is no
    choice, and without a prefix-cache-scorer nobody knows how much of a prompt is cached: each request goes both ways.

    Fails:  nonCachedTokens: 16 with inference-scheduling, or with wide-ep, which has no prefix-cache-scorer.
    Passes: nonCachedTokens: 16 with pd-disaggregation; nonCachedTokens: 0 with wide-ep.
    """
    tokens = plan.spec.spec.scheduler.non_cached_tokens
    if tokens is None:
        return
    path = " with ".join(plan.paths)
    if not plan.disaggregated:
        yield found(*AT, "nonCachedTokens", says=f"{path} has no prefill servers", fix="remove it", on_key=True)
    elif tokens > 0 and not any(True for _ in of_type(plan.scheduler.config, BY_PREFIX)):
        says = f"{path} has no prefix-cache-scorer to count cached tokens, so every request is disaggregated"
        yield found(*AT, "nonCachedTokens", says=says, fix="remove it, or set it to 0", on_key=True)


@rule("EPP005", "error", "scheduler and vLLM hash KV blocks differently")
def block_hashes_agree(plan: Plan) -> Iterator[Draft]:
    """precise-prefix-cache-scorer hashes each prompt itself and looks the hashes up among those that vLLM reports. With
    another block size, or another PYTHONHASHSEED, none is ever found, and routing falls back to the other scorers.

    Fails:  prefill {args: {block-size: 64}} and decode {args: {block-size: 128}}; env {PYTHONHASHSEED: "0"}.
    Passes: one block size in engine.args, PYTHONHASHSEED left to the path.
    """
    config, text, inside = effective(plan)
    for index, scorer in of_type(mapping(config), PRECISE):
        own: Route = (*text, "plugins", index, "parameters", "tokenProcessorConfig")
        processor = mapping(parameters_of(scorer).get("tokenProcessorConfig"))
        size, seed = processor.get("blockSize", DEFAULT_BLOCK_SIZE), str(processor.get("hashSeed", ""))
        for role in plan.roles:
            if role.block_size != size:
                says = f"{role.name} has blocks of {role.block_size} tokens, the scheduler counts blocks of {size}"
                if inside:
                    yield found(*own, "blockSize", says=says, fix=f"set blockSize: {role.block_size}")
                else:
                    route = role.flag_routes.get("block-size", ("spec", role.name))
                    yield found(*route, says=says, fix="set block-size in engine.args, for all roles")
            value = _value(role, "PYTHONHASHSEED")
            if value != seed:
                says = f"{role.name} hashes with PYTHONHASHSEED {value!r}, the scheduler with {seed!r}"
                if inside and role.env_routes.get("PYTHONHASHSEED", ("spec", "path"))[:2] == ("spec", "path"):
                    yield found(*own, "hashSeed", says=says, fix=f'set hashSeed: "{value}"')
                    continue
                route = role.env_routes.get("PYTHONHASHSEED", ("spec", role.name))
                yield found(*route, says=says, fix="remove it, or make it the scheduler's hashSeed")


@rule("EPP006", "error", "a model name that KV events cannot carry")
def topics_have_two_signs(plan: Plan) -> Iterator[Draft]:
    """The scheduler takes the topic of a KV event apart at its two @: kv@<pod>@<model>. A third one, in the model's
    name, and it drops every event.

    Fails:  model {name: "org/model@v2"} with precise-prefix-cache.
    Passes: model {name: org/model-v2}.
    """
    if plan.scheduler.kv_events_port is not None and "@" in plan.spec.spec.model.name:
        says = "the scheduler drops KV events of a model whose name holds an @"
        yield found("spec", "model", "name", says=says, fix="serve it under a name without @, and give its uri")


@rule("EPP007", "error", "KV events that do not reach the scheduler")
def events_reach_the_scheduler(plan: Plan) -> Iterator[Draft]:
    """vLLM publishes KV events to the address in --kv-events-config, and the scheduler listens on one port of its
    Service. A flag of the spec's own replaces the path's.

    Fails:  args {kv-events-config: {enable_kv_cache_events: false}}; an endpoint with another port.
    Passes: kv-events-config left to the path.
    """
    port = plan.scheduler.kv_events_port
    if port is None:
        return
    for role in plan.roles:
        given = role.flags.get(EVENTS_FLAG)
        route = role.flag_routes.get(EVENTS_FLAG, ("spec", "path"))
        if route[:2] == ("spec", "path"):
            continue
        if not isinstance(given, dict):
            fix = f"remove {EVENTS_FLAG}: the path writes it"
            yield found(*route, says=f"{role.name} reports no KV events", fix=fix)
            continue
        host = f"{plan.names.scheduler_service}.{plan.names.namespace}"
        topic, endpoint = str(given.get("topic", "")), str(given.get("endpoint", ""))
        hosts = (host, f"{host}.svc", f"{host}.svc.cluster.local", plan.names.scheduler_service)
        if given.get("enable_kv_cache_events") is not True:
            yield found(*route, says=f"{role.name} reports no KV events", fix="set enable_kv_cache_events: true")
        elif given.get("publisher", "zmq") != "zmq":
            yield found(*route, says="the scheduler listens for zmq only", fix="set publisher: zmq")
        elif endpoint not in {f"tcp://{each}:{port}" for each in hosts}:
            says = f"the scheduler does not listen at {endpoint or 'the default endpoint'}"
            yield found(*route, says=says, fix=f"set endpoint: tcp://{host}.svc.cluster.local:{port}")
        elif not topic.startswith("kv@") or topic.count("@") != 2:
            says = f"the scheduler drops events of the topic {topic!r}"
            yield found(*route, says=says, fix=f"set topic: kv@$(POD_IP)@{plan.spec.spec.model.name}")


def _agrees_with_roles(plan: Plan, config: dict[str, Any], at: Route) -> Iterator[Draft]:
    """Profiles for the roles that the plan has, no more and no less."""
    splits = [plugin for _, plugin in splitting(config, release_toml(plan.release.name, "plugins.toml"))]
    if splits and not plan.disaggregated:
        says = f"{splits[0]['type']} needs prefill servers, and there are none"
        yield found(*at, says=says, fix="use single-profile-handler")
    elif plan.disaggregated and not splits:
        says = "without pd-profile-handler prefill servers get whole requests, or none"
        yield found(*at, says=says, fix="use pd-profile-handler with a prefill and a decode profile")


def _config_file(extension: dict[str, Any]) -> str:
    """The file that the scheduler reads; what is no text is HELM009's, and the file stays the plan's."""
    name = extension.get("pluginsConfigFile", "plugins.yaml")
    return name if isinstance(name, str) else "plugins.yaml"


def effective(plan: Plan) -> tuple[dict[str, Any] | None, Route, bool]:
    """The configuration that the scheduler will read, where it comes from, and whether a text of the spec holds it.

    None for a text that is no YAML mapping.
    """
    extension = mapping(plan.spec.spec.values.router.get("inferenceExtension"))
    name = _config_file(extension)
    text = mapping(extension.get("pluginsCustomConfig")).get(name)
    if not isinstance(text, str):
        return plan.scheduler.config, AT, False
    from llmdgen import plain_yaml

    at = (*OVERRIDE, "pluginsCustomConfig", name)
    try:
        config = plain_yaml.load(text)
    except (plain_yaml.YAMLError, ValueError, RecursionError):
        return None, at, True
    return config if isinstance(config, dict) else None, at, True


def _reason(plan: Plan, at: Route) -> str:
    """What the YAML parser says of the text, and in which of its lines."""
    from llmdgen import plain_yaml

    text: Any = plan.spec.spec.values.router
    for part in at[len(OVERRIDE) - 1 :]:
        text = text[part]
    try:
        read = plain_yaml.load(text)
    except plain_yaml.YAMLError as error:
        return f": in the text's {plain_yaml.reason(error)}"
    except (ValueError, RecursionError):
        return ""
    return f": it holds {'nothing' if read is None else 'no mapping'}"


def _value(role: RolePlan, name: str) -> str:
    return next((variable.value or "" for variable in role.env if variable.name == name), "")


def _dotted(route: Route) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in route).removeprefix(".")
