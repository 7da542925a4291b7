"""What a scheduler's configuration leads to although it loads: data that nothing makes, parts without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks.scheduler_loading import whole
from llmdgen.findings import Route
from llmdgen.registry import Draft, rule
from llmdgen.scheduling.document import Listed, SchedulerConfig
from llmdgen.scheduling.form import View
from llmdgen.scheduling.tables import references_of
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import at, items, mapping, maps


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
    for each in config.plugins:
        facts, after = each.facts, config.names[each.index + 1 :]
        if since := facts.get("deprecated_in"):
            end = f", announced to go in {facts['removed_in']}" if "removed_in" in facts else ""
            fix = f"use {facts['use_instead']}" if "use_instead" in facts else "remove it"
            yield each.found("type", says=f"{each.type} is deprecated since {since}{end}", fix=fix)
        for path in (*facts.get("deprecated_parameters", ()), *facts.get("gone_in", ())):
            if each.at(path) is not None:
                new = facts.get("renamed_parameters", {}).get(path)
                fix = f"write {new}" if new else "remove it"
                yield each.found_at(path, says=f"{path} of {each.type} is deprecated", fix=fix, on_key=True)
        for key in facts.get("refers", ()) if tables.facts.get("any_order") else ():
            if each.names(key) in after:
                says = f"{each.name} stands before {each.names(key)}, which router v0.9 refuses"
                yield each.found(says=says, fix="put it behind")


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
    for each in config.plugins:
        for path, least in each.facts.get("least", {}).items():
            value = each.at(path)
            if isinstance(value, int) and 0 < value < least:
                fix = f"write {least}, or a multiple of vLLM's block size above it"
                yield each.found_at(path, says=f"{each.name} raises {path} {value} to {least}", fix=fix)
        for path in each.facts.get("default_at_zero", ()):
            if each.at(path) == 0:
                default = config.tables.defaults.get(each.type, {}).get(path, "its default")
                yield each.found_at(path, says=f"{path} 0 means {default}", fix="write what the servers hold")
        for path, kind in config.tables.types.get(each.type, {}).items():
            value = each.at(path)
            if isinstance(value, float) and whole(kind) and value.is_integer():
                yield each.found_at(path, says=f"{path} is written as {value!r} and counts", fix=f"write {int(value)}")
    makers = {each.name for each in config.of_kind("producer")}
    for number, profile in enumerate(config.profiles):
        for index, name in enumerate(references_of(profile)):
            if name in makers:
                says = f"{name} is a producer, which no profile asks"
                here = ("schedulingProfiles", number, "plugins", index)
                yield config.found(*here, says=says, fix="remove it: its data is read by name")
    yield from _unread_producers(config)
    layer = mapping(config.doc.get("dataLayer"))
    sources = {str(each.get("pluginRef")) for _, each in maps(layer.get("sources"))}
    read = any("metrics" in each.type for each in config.plugins if each.name in sources)
    if layer.get("injectDefaults") is False and not read:
        says = "without the default source nobody reads the servers' metrics, and load scorers see zeros"
        fix = "remove injectDefaults, or add metrics-data-source with core-metrics-extractor"
        yield config.found("dataLayer", "injectDefaults", says=says, fix=fix)
    for index, gate in enumerate(items(config.doc.get("featureGates"))):
        if gate in ("flowControl", "flowControl=true") and "strict" in config.tables.facts:
            says = "flowControl holds requests in the scheduler, and nothing of this deployment reads its queues"
            yield config.found("featureGates", index, says=says, fix="remove it, or suppress this where it is meant")


def _unread_producers(config: SchedulerConfig) -> Iterator[Draft]:
    """Producers of another than the default name that no plugin names."""
    tables = config.tables
    reading = [(each, parameter) for each in config.plugins for parameter in tables.consumed(each.type).values()]
    named = {each.parameters.get(parameter) for each, parameter in reading if parameter}
    for each in config.of_kind("producer"):
        makes = each.facts.get("produces", ())
        if makes and each.name not in named and each.name not in {tables.default_producer(data) for data in makes}:
            says = f"no plugin reads {each.name}: they read producers that they name, else the default one"
            yield each.found(says=says, fix="name it where it is meant, or remove it")


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
    for each in config.plugins:
        for data, parameter in tables.consumed(each.type).items():
            yield from _producer(each, data, parameter)
    for each in config.of_kind("producer"):
        view = next((view for view in config.form.views.values() if view.type == each.type and view.source), None)
        if view is not None:
            yield from _fed(each, view)
    yield from _extractors(config)


def _producer(each: Listed, data: str, parameter: str) -> Iterator[Draft]:
    """The producer of what a plugin reads, by the parameter that names it, "" where none does."""
    plugins, default = each.config.plugins, each.config.tables.default_producer(data)
    makes = {one.name: data in one.facts.get("produces", ()) for one in plugins}
    of_data = [name for name, made in makes.items() if made]
    name = each.parameters.get(parameter) if parameter else None
    if isinstance(name, str) and name:
        if name not in of_data and (name in makes or name != default):
            what = f"{name} makes no {data}" if name in makes else f"there is no producer {name}"
            fix = f"name {one_of(of_data)}" if of_data else f"add a {default} of that name"
            yield each.found("parameters", parameter, says=f"{what}, and the scheduler does not start", fix=fix)
        return
    same = [one.name for one in plugins if one.type == default]
    optional = "(optional)" in each.facts["consumes"][data]
    if parameter and not optional and default not in of_data and same:
        says = f"{each.name} reads {default}, which is made anew beside {one_of(same)}, with its defaults"
        yield each.found(says=says, fix=f"set {parameter} to {one_of(same)}")


def _fed(each: Listed, view: View) -> Iterator[Draft]:
    """The entry of the data layer, and tokens that are the model's own."""
    config, listed = each.config, {one.name for one in each.config.of_type(view.source)}
    sources = [one for _, one in maps(at(config.doc, "dataLayer", "sources")) if one.get("pluginRef") in listed]
    if not any(
        extractor.get("pluginRef") == each.name for one in sources for _, extractor in maps(one.get("extractors"))
    ):
        says = f"nothing in dataLayer.sources feeds {each.name}, so that it never hears an event"
        yield each.found(says=says, fix=f"add {view.source} with extractors: [{{pluginRef: {each.name}}}]")
    for need in view.needs:
        given = config.of_type(need)
        known = all(any(one.at(path) for one in given) for path in ("vllm.url", "modelName"))
        if need != view.source and need in config.tables.plugins and not known:
            says = f"without {need} and the model's own tokens {each.name} finds no block"
            yield each.found(says=says, fix=f"add {need} with modelName and vllm.url")


def _extractors(config: SchedulerConfig) -> Iterator[Draft]:
    """What dataLayer.sources refers to: sources, and plugins that extract."""
    kinds = {each.name: each.kind for each in config.plugins}
    for number, source in maps(at(config.doc, "dataLayer", "sources")):
        of_source: list[tuple[Route, dict[str, Any]]] = [((), source)]
        for route, each in of_source + [(("extractors", at_), one) for at_, one in maps(source.get("extractors"))]:
            name, wanted = str(each.get("pluginRef")), ("extractor", "producer") if route else ("source",)
            if kinds.get(name) not in wanted:
                is_a = f"is a {kinds[name]}, not" if name in kinds else "is not in the list: name"
                meant = did_you_mean(name, [one for one, kind in kinds.items() if kind in wanted])
                here = ("dataLayer", "sources", number, *route, "pluginRef")
                says = f"{name} {is_a} a plugin that can be {'an extractor' if route else 'a source'}"
                yield config.found(*here, says=says, fix=meant or "name another plugin")
