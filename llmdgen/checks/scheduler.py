"""What a spec asks of the endpoint picker: weights, the decider, replicas, settings that nothing reads; and the
configuration that it will read, which the paths make, or a text of the spec in its place."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from llmdgen.findings import Route
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import Draft, found, rule
from llmdgen.scheduling.document import Endpoints, SchedulerConfig
from llmdgen.scheduling.form import form
from llmdgen.spec.read import BROKEN
from llmdgen.suggest import did_you_mean
from llmdgen.untyped import at, mapping

AT: Route = ("spec", "scheduler")
VALUES: Route = ("spec", "values", "router")
FILE, CHARTS_OWN = "plugins.yaml", "default-plugins.yaml"
EVENTS, SEED = "kv-events-config", "PYTHONHASHSEED"


@rule("EPP001", "error", "a weight for a scorer that the plan does not have")
def weights_name_scorers(plan: Plan) -> Iterator[Draft]:
    """scheduler.weights changes scorers that the paths bring; it adds none. Another name would change nothing.

    Fails:  `{scheduler: {weights: {prefix-scorer: 3}}}`;
            `{path: wide-ep, release: v0.6.0, scheduler: {weights: {queue-scorer: 2}}}`, which has none.
    Passes: `{release: v0.6.0, scheduler: {weights: {prefix-cache-scorer: 3}}}`.
    """
    names = list(plan.scheduler.scorers)
    for name in plan.spec.asked.scheduler.weights:
        if name not in names:
            has = f"{' with '.join(plan.paths)} has {' and '.join(names) or 'no scorers'}"
            says, fix = f"there is no scorer {name}: {has}", did_you_mean(name, names) or "remove it"
            yield found(*AT, "weights", name, says=says, fix=fix, on_key=True)


@rule("EPP002", "error", "a weight below 0, or infinite")
def weights_are_positive(plan: Plan) -> Iterator[Draft]:
    """A weight multiplies the score. A negative one prefers the worst server, an infinite one makes every sum infinite.

    Fails:  `{release: v0.6.0, scheduler: {weights: {queue-scorer: -1}}}`.
    Passes: `{release: v0.6.0, scheduler: {weights: {queue-scorer: 2.5}}}`.
    """
    for name, weight in plan.spec.asked.scheduler.weights.items():
        if not isfinite(weight) or weight < 0:
            says = f"the weight of {name} is {weight:g}"
            yield found(*AT, "weights", name, says=says, fix="write a number above 0, such as 1 or 2.5")


@rule("EPP004", "error", "nonCachedTokens that nothing reads")
def decider_has_a_choice(plan: Plan) -> Iterator[Draft]:
    """scheduler.nonCachedTokens decides between a prefill server and decode alone. Without prefill servers there is no
    choice, and where nobody knows how much of a prompt is cached, each request goes both ways.

    Fails:  `{scheduler: {nonCachedTokens: 16}}` with inference-scheduling;
            `{path: wide-ep, release: v0.6.0, scheduler: {nonCachedTokens: 16}}`, which has no prefix-cache-scorer.
    Passes: `{path: pd-disaggregation, scheduler: {nonCachedTokens: 16}}`;
            `{path: wide-ep, scheduler: {nonCachedTokens: 0}}`.
    """
    tokens, by_prefix = plan.spec.asked.scheduler.non_cached_tokens, form(plan.release.name).split.by_prefix.type
    if tokens is None:
        return
    path = " with ".join(plan.paths)
    if not plan.disaggregated:
        yield found(*AT, "nonCachedTokens", says=f"{path} has no prefill servers", fix="remove it", on_key=True)
    elif tokens > 0 and not any(each["type"] == by_prefix for each in plan.scheduler.config["plugins"]):
        says = f"{path} has no prefix-cache-scorer to count cached tokens, so every request is disaggregated"
        yield found(*AT, "nonCachedTokens", says=says, fix="remove it, or set it to 0", on_key=True)


@rule("EPP006", "error", "a model name that KV events cannot carry")
def topics_have_two_signs(plan: Plan) -> Iterator[Draft]:
    """The scheduler takes an event's topic apart at its two @: kv@<pod>@<model>. With a third it drops every event.

    Fails:  `{path: precise-prefix-cache, model: {name: "Qwen/Qwen3-32B@v2", uri: hf://Qwen/Qwen3-32B, size: 80Gi}}`.
    Passes: `{path: precise-prefix-cache, model: {name: Qwen/Qwen3-32B-v2, uri: hf://Qwen/Qwen3-32B, size: 80Gi}}`.
    """
    if plan.scheduler.kv_events_port is not None and "@" in plan.spec.asked.model.name:
        says = "the scheduler drops KV events of a model whose name holds an @"
        yield found("spec", "model", "name", says=says, fix="serve it under a name without @, and give its uri")


@rule("EPP008", "warning", "scorers that do not score")
def something_scores(plan: Plan) -> Iterator[Draft]:
    """A scorer of weight 0 is asked and not heard. Where all weights are 0, requests go to any server.

    Fails:  `{scheduler: {weights: {token-load-scorer: 0}}}`, the only one of inference-scheduling.
    Passes: `{scheduler: {weights: {token-load-scorer: 1}}}`.
    """
    scorers, weights = plan.scheduler.scorers, plan.spec.asked.scheduler.weights
    if weights and scorers and not any(scorers.values()):
        says = "every scorer has weight 0, so that requests go to any server"
        yield found(*AT, "weights", says=says, fix="give one of them a weight above 0")


@rule("EPP012", "error", "prefill servers that no prompt reaches")
def some_prompts_are_disaggregated(plan: Plan) -> Iterator[Draft]:
    """prefix-based-pd-decider asks a prefill server only for a prompt with that many tokens that are not cached. One
    above vLLM's longest prompt leaves every prompt to decode and the prefill GPUs idle.

    Fails:  `{path: pd-disaggregation, engine: {args: {max-model-len: 32000}}, scheduler: {nonCachedTokens: 64000}}`.
    Passes: `{path: pd-disaggregation, engine: {args: {max-model-len: 32000}}, scheduler: {nonCachedTokens: 512}}`.
    """
    length = next((role.flags.get("max-model-len") for role in plan.roles if role.name == "decode"), None)
    if length is None and plan.model is not None:
        length = plan.model.max_position_embeddings
    if not plan.disaggregated or isinstance(length, bool) or not isinstance(length, int) or length <= 0:
        return
    for decider in scheduler_config(plan).of_type(form(plan.release.name).split.by_prefix.type):
        tokens = decider.parameters.get("nonCachedTokens")
        if isinstance(tokens, int) and tokens >= length:
            says = f"no prompt has {tokens} tokens that are not cached: vLLM takes {length} at most"
            here, field = ("plugins", decider.index, "parameters", "nonCachedTokens"), (*AT, "nonCachedTokens")
            yield decider.config.found(*here, says=says, fix="write a smaller number, such as 512", instead=field)


@rule("EPP013", "warning", "an index of cached blocks that a second scheduler does not share")
def one_scheduler_holds_the_index(plan: Plan) -> Iterator[Draft]:
    """Of several schedulers one leads, the others wait. The precise index of cached blocks is in the leader's memory:
    the one that takes over begins with none, and routes by the other scorers until the servers have reported anew.

    Fails:  `{path: precise-prefix-cache, scheduler: {replicas: 2}}`.
    Passes: `{path: precise-prefix-cache, scheduler: {replicas: 1}}`; `{release: v0.6.0, scheduler: {replicas: 2}}` with
            inference-scheduling.
    """
    if plan.scheduler.replicas > 1 and plan.scheduler.kv_events_port is not None:
        says = f"{plan.scheduler.replicas} schedulers do not share the index of cached blocks: a new leader has none"
        yield found(*AT, "replicas", says=says, fix="set replicas: 1, or suppress this where a failover matters more")


@rule("EPP014", "error", "a scheduler configuration that nothing reads")
def own_files_are_read(plan: Plan) -> Iterator[Draft]:
    """pluginsCustomConfig may hold several files, and the scheduler reads the one that pluginsConfigFile names. Another
    changes nothing. Neither do scheduler.weights and nonCachedTokens, which are for the file that the paths write.

    Fails:  `{values: {router: {router: {epp: {pluginsCustomConfig: {my-plugins.yaml: "plugins: []"}}}}}}` without
            pluginsConfigFile: plugins.yaml is read; weights beside pluginsCustomConfig.
    Passes: `{scheduler: {weights: {token-load-scorer: 2}}}`.
    """
    asked = plan.spec.asked.scheduler
    given = {"weights": bool(asked.weights), "nonCachedTokens": asked.non_cached_tokens is not None}
    for field in (name for name, set_ in given.items() if set_ and effective(plan)[2]):
        says = f"the configuration in spec.values replaces the one that {field} would change"
        yield found(*AT, field, says=says, fix="write it into that configuration, and remove it here", on_key=True)
    values = epp_values(plan)
    custom, name = values.get("pluginsCustomConfig"), values.get("pluginsConfigFile", FILE)
    for file, text in custom.items() if isinstance(custom, dict) else ():
        if file != name and text is not None:
            says = f"the scheduler reads {name}, and nothing reads {file}"
            fix = f"set pluginsConfigFile: {file} beside it, or name it {name}"
            yield found(*override(plan), "pluginsCustomConfig", file, says=says, fix=fix, on_key=True)


def scheduler_config(plan: Plan) -> SchedulerConfig:
    document, where, inside = effective(plan)
    cpu = next((tier for tier in plan.tiers if tier.name == "cpu"), None)
    host = f"{plan.names.scheduler_service}.{plan.names.namespace}"
    uds = ("parameters", "indexerConfig", "tokenizersPoolConfig", "uds", "socketFile")
    sockets = (at(each, *uds) for each in plan.scheduler.config["plugins"])
    return SchedulerConfig(
        release=plan.release.name,
        document=document,
        at=where,
        inside=inside,
        unread=tuple(_unread(plan, document, where)),
        servers=tuple(_endpoints(role, cpu.bytes[role.name] if cpu else 0) for role in plan.roles),
        model=plan.spec.asked.model.name,
        pool_ports=plan.target_ports,
        hosts=(plan.names.scheduler_service, host, f"{host}.svc", f"{host}.svc.cluster.local"),
        tokenizer_socket=str(next(filter(None, sockets), "")),
        experimental=bool(at(epp_values(plan), "flags", "allow-experimental-plugins")),
    )


def effective(plan: Plan) -> tuple[dict[str, Any] | None, Route, bool]:
    """The configuration (None for text that is not a YAML mapping), its place, and whether the spec's text holds it."""
    name = config_file(plan)
    text = mapping(epp_values(plan).get("pluginsCustomConfig")).get(name)
    if not isinstance(text, str):
        return plan.scheduler.config, AT, False
    read, _ = _read(text)
    return read, (*override(plan), "pluginsCustomConfig", name), True


def override(plan: Plan) -> Route:
    """Where a spec says what the router's chart makes of the scheduler."""
    return (*VALUES, *form(plan.release.name).values)


def epp_values(plan: Plan) -> dict[str, Any]:
    return mapping(at(plan.spec.asked.values.router, *form(plan.release.name).values))


def config_file(plan: Plan) -> str:
    """The file that the scheduler reads; a name that is not text is HELM009's, and the file stays the plan's."""
    name = epp_values(plan).get("pluginsConfigFile", FILE)
    return name if isinstance(name, str) else FILE


def _unread(plan: Plan, document: dict[str, Any] | None, where: Route) -> Iterator[Draft]:
    """Why the scheduler does not read the file that the spec means."""
    values, name, here = epp_values(plan), config_file(plan), override(plan)
    custom = mapping(values.get("pluginsCustomConfig"))
    for file, text in custom.items():
        if not isinstance(text, str):
            says, fix = f"{file} is not text, and the ConfigMap takes nothing else", "write it as a text block, with |"
            yield found(*here, "pluginsCustomConfig", file, says=says, fix=fix, on_key=True)
    if "pluginsConfigFile" in values and name not in {FILE, CHARTS_OWN, *custom}:
        says = f"there is no {name} among the scheduler's files"
        yield found(*here, "pluginsConfigFile", says=says, fix="add it to pluginsCustomConfig, or remove this")
    if name == CHARTS_OWN and (plan.disaggregated or plan.scheduler.kv_events_port is not None):
        says = f"{name} is the chart's own, which knows neither prefill servers nor KV events"
        yield found(*here, "pluginsConfigFile", says=says, fix=f"remove it: the paths make {FILE}")
    elif document is None:
        _, reason = _read(custom[name])
        says = f"it is not YAML that can be read{reason}"
        yield found(*where, BROKEN, says=says, fix="correct the YAML of the text block")


def _read(text: str) -> tuple[dict[str, Any] | None, str]:
    """The mapping that a text holds, or why it holds none."""
    from llmdgen import plain_yaml

    try:
        document = plain_yaml.load(text)
    except plain_yaml.YAMLError as error:
        return None, f": in the text's {plain_yaml.reason(error)}"
    except (ValueError, RecursionError):
        return None, ""
    if isinstance(document, dict):
        return document, ""
    return None, f": it holds {'nothing' if document is None else 'no mapping'}"


def _endpoints(role: RolePlan, cpu_bytes: int) -> Endpoints:
    events, memory = role.flags.get(EVENTS), role.memory_use
    return Endpoints(
        name=role.name,
        role=role.name,
        count=role.pods * role.ranks,
        block_size=role.block_size,
        hash_seed=next((each.value or "" for each in role.env if each.name == SEED), ""),
        events=events if isinstance(events, dict) else None,
        gpu_tokens=memory.kv_tokens * role.size.data_local // role.ranks if memory else 0,
        cpu_bytes=cpu_bytes // role.ranks,
        token_bytes=memory.stored_bytes_per_token * role.size.tensor if memory else 0,
        block_route=role.flag_routes.get("block-size", ("spec", role.name)),
        seed_route=_own(role.env_routes.get(SEED)),
        events_route=_own(role.flag_routes.get(EVENTS)),
    )


def _own(route: Route | None) -> Route:
    """A route to a setting of the spec, () for one that the path makes."""
    return () if route is None or route[:2] == ("spec", "path") else route
