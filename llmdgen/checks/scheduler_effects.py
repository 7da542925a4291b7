"""What a scheduler's configuration leads to although it loads: data that nothing makes, parts without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks._scheduler_plugins import whole
from llmdgen.registry import Draft, rule
from llmdgen.scheduling.document import SchedulerConfig
from llmdgen.scheduling.tables import name_of, of_type, parameters_of, references_of
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import at, mapping, maps


@rule("EPP016", "warning", "a scheduler configuration that a later version will not take")
def configuration_has_a_future(config: SchedulerConfig) -> Iterator[Draft]:
    """Plugins and parameters that their authors have announced to drop load today, with a line in the log. The next
    release of llm-d may refuse them.

    Fails:  disagg-headers-handler with llm-d v0.9.0; apiVersion inference.networking.x-k8s.io/v1alpha1 there;
            tokenProcessorConfig {blockSize: 64} of precise-prefix-cache-producer; a handler before its decider.
    Passes: disagg-profile-handler alone; apiVersion llm-d.ai/v1alpha1; blockSizeTokens: 64.
    """
    if not config.inside:
        return
    tables = config.tables
    version = config.doc.get("apiVersion")
    if version in tables.facts.get("old_api_versions", ()):
        yield config.found("apiVersion", says=f"{version} is deprecated", fix=f"write {tables.facts['api_version']}")
    for key in tables.facts.get("deprecated_top_level", ()):
        if key in config.doc:
            says = f"{key} is deprecated"
            yield config.found(key, says=says, fix="set it where the scheduler's documentation moves it", on_key=True)
    names = config.names
    for index, each in enumerate(config.plugins):
        facts, given = tables.of(each), parameters_of(each)
        if since := facts.get("deprecated_in"):
            end = f", announced to go in {facts['removed_in']}" if "removed_in" in facts else ""
            fix = f"use {facts['use_instead']}" if "use_instead" in facts else "remove it"
            says = f"{each['type']} is deprecated since {since}{end}"
            yield config.found("plugins", index, "type", says=says, fix=fix)
        gone = [*facts.get("deprecated_parameters", ()), *facts.get("gone_in", ())]
        for path in gone:
            if at(given, *path.split(".")) is not None:
                says = f"{path} of {each['type']} is deprecated"
                new = facts.get("renamed_parameters", {}).get(path)
                fix = f"write {new}" if new else "remove it"
                yield config.found("plugins", index, "parameters", *path.split("."), says=says, fix=fix, on_key=True)
        if tables.facts.get("any_order"):
            for key in facts.get("refers", ()):
                if tables.named(each, key) in names[index + 1 :]:
                    says = f"{names[index]} stands before {tables.named(each, key)}, which router v0.9 refuses"
                    yield config.found("plugins", index, says=says, fix="put it behind")


@rule("EPP017", "warning", "a part of the scheduler's configuration without the effect that it seems to have")
def every_part_has_its_effect(config: SchedulerConfig) -> Iterator[Draft]:
    """Some values load and do something else: a block below a producer's least is raised to it, a capacity of 0 is the
    default, a producer in a profile or that no plugin names does nothing, and a queue that nobody reads holds requests.

    Fails:  blockSizeTokens: 16 or lruCapacityPerServer: 0 of approx-prefix-cache-producer; lruCapacityPerServer: 1e+06;
            pluginRef: approx-prefix-cache-producer; dataLayer {injectDefaults: false} without a metrics source.
    Passes: blockSizeTokens: 64; lruCapacityPerServer: 1000000.
    """
    if not config.inside:
        return
    tables = config.tables
    for index, each in enumerate(config.plugins):
        facts, given = tables.of(each), parameters_of(each)
        for path, least in facts.get("least", {}).items():
            value = at(given, *path.split("."))
            if isinstance(value, int) and 0 < value < least:
                says = f"{name_of(each)} raises {path} {value} to {least}"
                fix = f"write {least}, or a multiple of vLLM's block size above it"
                yield config.found("plugins", index, "parameters", *path.split("."), says=says, fix=fix)
        for path in facts.get("default_at_zero", ()):
            if at(given, *path.split(".")) == 0:
                default = tables.defaults.get(str(each["type"]), {}).get(path, "its default")
                says, fix = f"{path} 0 means {default}", "write what the servers hold"
                yield config.found("plugins", index, "parameters", *path.split("."), says=says, fix=fix)
        for path, kind in tables.types.get(str(each.get("type")), {}).items():
            value = at(given, *path.split("."))
            if isinstance(value, float) and whole(kind) and value.is_integer():
                says, fix = f"{path} is written as {value!r} and counts", f"write {int(value)}"
                yield config.found("plugins", index, "parameters", *path.split("."), says=says, fix=fix)
    makers = {name_of(each) for _, each in config.of_kind("producer")}
    for number, profile in enumerate(config.profiles):
        for index, name in enumerate(references_of(profile)):
            if name in makers:
                says = f"{name} is a producer, which no profile asks"
                here = ("schedulingProfiles", number, "plugins", index)
                yield config.found(*here, says=says, fix="remove it: its data is read by name")
    yield from _unread_producers(config)
    yield from _metrics(config)
    for index, gate in enumerate(config.doc.get("featureGates") or ()):
        if gate in ("flowControl", "flowControl=true") and "strict" in tables.facts:
            says = "flowControl holds requests in the scheduler, and nothing of this deployment reads its queues"
            yield config.found("featureGates", index, says=says, fix="remove it, or suppress this where it is meant")


def _unread_producers(config: SchedulerConfig) -> Iterator[Draft]:
    """Producers of another than the default name that no plugin names."""
    tables = config.tables
    reading = [(each, parameter) for each in config.plugins for parameter in tables.consumed(each).values()]
    named = {parameters_of(each).get(parameter) for each, parameter in reading if parameter}
    for index, each in config.of_kind("producer"):
        name, makes = name_of(each), tables.of(each).get("produces", ())
        if makes and name not in named and name not in {tables.default_producer(data) for data in makes}:
            says = f"no plugin reads {name}: they read producers that they name, else the default one"
            yield config.found("plugins", index, says=says, fix="name it where it is meant, or remove it")


def _metrics(config: SchedulerConfig) -> Iterator[Draft]:
    layer = mapping(config.doc.get("dataLayer"))
    sources = {str(each.get("pluginRef")) for _, each in maps(layer.get("sources"))}
    kinds = {each.get("type") for each in config.plugins if name_of(each) in sources}
    if layer.get("injectDefaults") is False and not any("metrics" in str(kind) for kind in kinds):
        says = "without the default source nobody reads the servers' metrics, and load scorers see zeros"
        fix = "remove injectDefaults, or add metrics-data-source with core-metrics-extractor"
        yield config.found("dataLayer", "injectDefaults", says=says, fix=fix)


@rule("EPP018", "error", "data that a plugin of the scheduler reads and nothing makes")
def every_datum_has_its_producer(config: SchedulerConfig) -> Iterator[Draft]:
    """From llm-d v0.9.0 on producers make what scorers, filters and deciders read. A producer that is named and missing
    stops the scheduler; one that is not named where others are is made anew, and knows nothing of the servers' caches.
    A precise producer hears no event without an entry of dataLayer.sources, and finds no block by estimated tokens.

    Fails:  prefixMatchInfoProducerName: nobody; no-hit-lru-scorer without that parameter beside producers of other
            names; precise-prefix-cache-producer without dataLayer.sources, or without a token-producer of its model.
    Passes: a producer of the default name; every parameter naming a producer of the list.
    """
    tables = config.tables
    if not config.inside or not tables.facts.get("data_default_producer"):
        return
    makes = {name_of(each): set(tables.of(each).get("produces", ())) for each in config.plugins}
    for index, each in enumerate(config.plugins):
        for data, parameter in tables.consumed(each).items():
            optional = "(optional)" in tables.of(each)["consumes"][data]
            yield from _producer(config, index, each, data, parameter, makes, optional)
    for index, each in config.of_kind("producer"):
        for view in config.form.views.values():
            if view.type == each["type"] and view.source:
                yield from _fed(config, index, each, view.source)
                break
    yield from _extractors(config)


def _producer(
    config: SchedulerConfig,
    index: int,
    each: dict[str, Any],
    data: str,
    parameter: str,
    makes: dict[str, set[str]],
    optional: bool,
) -> Iterator[Draft]:
    of_data = [name for name, made in makes.items() if data in made]
    name = parameters_of(each).get(parameter) if parameter else None
    if isinstance(name, str) and name:
        if name in of_data or (name not in makes and name == config.tables.default_producer(data)):
            return
        what = f"{name} makes no {data}" if name in makes else f"there is no producer {name}"
        fix = f"name {one_of(of_data)}" if of_data else f"add a {config.tables.default_producer(data)} of that name"
        here = ("plugins", index, "parameters", parameter)
        yield config.found(*here, says=f"{what}, and the scheduler does not start", fix=fix)
        return
    default = config.tables.default_producer(data)
    same = [one for one, plugin in zip(config.names, config.plugins, strict=True) if plugin.get("type") == default]
    if not parameter or optional or default in of_data or not same:
        return
    says = f"{name_of(each)} reads {default}, which is made anew beside {one_of(same)}, with its defaults"
    yield config.found("plugins", index, says=says, fix=f"set {parameter} to {one_of(same)}")


def _fed(config: SchedulerConfig, index: int, each: dict[str, Any], source: str) -> Iterator[Draft]:
    """The entry of the data layer, and tokens that are the model's own."""
    own, listed = name_of(each), {name_of(plugin) for _, plugin in of_type(config.doc, source)}
    sources = [mapping(one) for _, one in maps(at(config.doc, "dataLayer", "sources"))]
    feeding = [one for one in sources if one.get("pluginRef") in listed]
    if not any(extractor.get("pluginRef") == own for one in feeding for _, extractor in maps(one.get("extractors"))):
        says = f"nothing in dataLayer.sources feeds {own}, so that it never hears an event"
        yield config.found("plugins", index, says=says, fix=f"add {source} with extractors: [{{pluginRef: {own}}}]")
    for need in next(view.needs for view in config.form.views.values() if view.source == source):
        if need == source or need not in config.tables.plugins:
            continue
        given = [parameters_of(plugin) for _, plugin in of_type(config.doc, need)]
        if not all(any(at(each, *path) for each in given) for path in (("vllm", "url"), ("modelName",))):
            says = f"without {need} and the model's own tokens {own} finds no block"
            yield config.found("plugins", index, says=says, fix=f"add {need} with modelName and vllm.url")


def _extractors(config: SchedulerConfig) -> Iterator[Draft]:
    """What dataLayer.sources refers to: sources, and plugins that extract."""
    kinds = {name_of(each): config.tables.kind(each) for each in config.plugins}
    for number, source in maps(at(config.doc, "dataLayer", "sources")):
        for route, name, wanted in (
            (("pluginRef",), source.get("pluginRef"), ("source",)),
            *(
                (("extractors", index, "pluginRef"), each.get("pluginRef"), ("extractor", "producer"))
                for index, each in maps(source.get("extractors"))
            ),
        ):
            if kinds.get(str(name)) not in wanted:
                is_a = f"is a {kinds[str(name)]}, not" if str(name) in kinds else "is not in the list: name"
                meant = did_you_mean(str(name), [each for each, kind in kinds.items() if kind in wanted])
                here = ("dataLayer", "sources", number, *route)
                says = f"{name} {is_a} a plugin that can be {'a source' if wanted == ('source',) else 'an extractor'}"
                yield config.found(*here, says=says, fix=meant or "name another plugin")
