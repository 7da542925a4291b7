"""The EndpointPickerConfig of a deployment, in the form of its release.

Three steps: what each profile asks (`composed`), what the producers behind it are (`_producers`), and the document.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llmdgen.scheduling.form import Form, Part, PathForm, Plugin, Reference, View, filled
from llmdgen.scheduling.tables import Tables

PREFIXES, LOAD, UNCACHED = "PrefixCacheMatchInfo", "InFlightLoad", "UncachedRequestTokens"
SINGLE, SPLIT = ("default",), ("prefill", "decode")
Profiles = dict[str, tuple[Reference, ...]]
Listed = dict[str, Any]


class Asked(Struct, frozen=True, kw_only=True):
    """What the configuration is for: what each path asks, main first. `non_cached_tokens` is None where no prompt is
    computed apart from its answer, 0 where each is; `weights` are the spec's own, by scorer."""

    paths: dict[str, PathForm]
    non_cached_tokens: int | None
    weights: dict[str, float]
    numbers: dict[str, Any]


class Built(Struct, frozen=True):
    """The configuration, and by name its scorers with their weights, the largest where profiles differ."""

    config: dict[str, Any]
    scorers: dict[str, int | float]


def build(form: Form, tables: Tables, asked: Asked) -> Built:
    """The configuration that these paths give together."""
    profiles, by_prefix = composed(form, asked)
    view, numbers = _view(asked), asked.numbers
    references = [each for found in profiles.values() for each in found]
    plugins = list({each.called: _listed(each, view, form, tables, numbers) for each in references}.values())
    producers, source = _producers(form, tables, asked, profiles, plugins, by_prefix)
    weights = [(each.called, each.weight) for each in references if each.weight is not None]
    picker = form.pickers.scored if weights else form.pickers.unscored
    parts = {"scored": plugins, "producers": producers, "picker": [_written(picker, numbers)]}
    roles: dict[str, str] = {}
    gates: tuple[str, ...] = ()
    if asked.non_cached_tokens is None:
        order, parts["handler"] = form.single.order, [_written(form.single.handler, numbers)]
    else:
        split, roles = form.split, form.split.roles
        decider = split.by_prefix if by_prefix else split.always
        gates = split.by_prefix_gates if by_prefix else ()
        order = split.order
        parts["header"] = [_written(split.header, numbers)] if split.header else []
        parts["roles"] = [{"type": each} for each in roles.values()]
        parts["decider"] = [_written(decider, numbers)]
        parts["handler"] = [_written(split.handler, {**numbers, "decider": decider.type})]
    config = _document(tables, gates, order, parts, source)
    config["schedulingProfiles"] = [
        {"name": name, "plugins": _references(roles.get(name), found, picker)} for name, found in profiles.items()
    ]
    return Built(config, dict(sorted(weights, key=lambda each: each[1])))


def composed(form: Form, asked: Asked) -> tuple[Profiles, bool]:
    """The filters and scorers of each profile, and whether a decider counts cached tokens there."""
    present = asked.paths
    superseded = {name for each in present.values() for name in each.supersedes}
    names = SINGLE if asked.non_cached_tokens is None else SPLIT
    first = max(present.values(), key=lambda each: each.rank)
    leading = [name for name, each in present.items() if each is first or not each.rank]
    wanted = bool(asked.non_cached_tokens)
    counts = wanted and (not form.split.one_scorer or _has(form.split.one_scorer, present, leading))
    profiles: Profiles = {}
    for profile in names:
        found: list[Reference] = []
        for path in leading:
            asking = present[path]
            lists = {**asking.profiles, **asking.by_prefix} if counts else asking.profiles
            for each in lists.get(profile, lists.get("each", ())):
                found += _replaced(each, path, present, superseded, form.split.one_scorer if counts else "")
        distinct = _distinct(found)
        if counts and form.split.one_scorer:
            distinct = _one_of(form.split.one_scorer, distinct)
        profiles[profile] = tuple(
            each if each.weight is None else replace(each, weight=asked.weights.get(each.called, each.weight))
            for each in distinct
        )
    return profiles, counts


def _replaced(
    each: Reference, path: str, present: dict[str, PathForm], superseded: set[str], kept: str
) -> Iterable[Reference]:
    """What stands in a reference's place: what another path puts there. What a decider reads (`kept`) stays."""
    if each.plugin == kept:
        return (each,)
    for name, other in present.items():
        if name != path and name not in superseded and each.called in other.instead:
            return tuple(
                replace(one, weight=each.weight) if one.weight is None else one for one in other.instead[each.called]
            )
    return (each,)


def _distinct(references: list[Reference]) -> tuple[Reference, ...]:
    """Each plugin that knows the same once, with the weight of the first."""
    first: dict[tuple[str, str], Reference] = {}
    for each in references:
        first.setdefault((each.plugin, each.view), each)
    return tuple(first.values())


def _one_of(kind: str, references: tuple[Reference, ...]) -> tuple[Reference, ...]:
    """Of several scorers of a type the last, whose cache holds the most, with the weight of all of them."""
    same = [each for each in references if each.plugin == kind]
    if len(same) < 2:
        return references
    weight = sum(each.weight or 0 for each in same)
    last = replace(same[-1], weight=weight)
    return tuple(last if each is same[-1] else each for each in references if each not in same[:-1])


def _has(kind: str, present: dict[str, PathForm], leading: list[str]) -> bool:
    return any(each.plugin == kind for path in leading for found in present[path].profiles.values() for each in found)


def _view(asked: Asked) -> str:
    """What plugins read that name no view: the view that a path brings, else the default one."""
    return next((each.view for each in asked.paths.values() if each.view), "default")


def _producers(
    form: Form, tables: Tables, asked: Asked, profiles: Profiles, plugins: list[Listed], by_prefix: bool
) -> tuple[list[Listed], View | None]:
    """The producers of what the plugins read, and the view that the data layer feeds.

    A handler, or a decider, reads the producer of the default name, whatever the scorers read.
    """
    if not form.views:
        return [], None
    consumers = list(plugins)
    if asked.non_cached_tokens is not None:
        consumers.append({"type": form.split.handler.type})
        consumers.append({"type": (form.split.by_prefix if by_prefix else form.split.always).type})
    read = {data for each in consumers for data in tables.consumed(each)}
    used = _views_read(form, tables, asked, consumers, profiles)
    listed: list[Listed] = []
    source: View | None = None
    for name in used:
        view = form.views[name]
        needed = [Plugin(each, form.parameters.get(each, {})) for each in view.needs]
        listed += [_written(each, asked.numbers) for each in needed]
        listed.append(_written(Plugin(view.type, form.parameters.get(view.called, {})), asked.numbers, view.called))
        source = view if view.source else source
    load = tables.default_producer(LOAD)
    if load and LOAD in read:
        known = [form.views[name].called for name in used]
        # Tokens that are not cached are counted by the view that knows most: the one with events, else the last.
        best = source.called if source else known[-1] if known else _default(form)
        given = {tables.consumed({"type": load})[PREFIXES]: best} if UNCACHED in read and best != _default(form) else {}
        listed.append({"type": load, **({"parameters": given} if given else {})})
    return listed, source


def _views_read(form: Form, tables: Tables, asked: Asked, consumers: list[Listed], profiles: Profiles) -> list[str]:
    """The names of the views that something reads, in the order of the form."""
    default = _view(asked)
    asking = {each.called: each.view or default for found in profiles.values() for each in found}
    used = set()
    for each in consumers:
        how = tables.consumed(each).get(PREFIXES)
        if how is not None:
            used.add("default" if not how else asking.get(each.get("name") or each["type"], default))
    return [name for name in form.views if name in used]


def _default(form: Form) -> str:
    return form.views["default"].called


def _listed(each: Reference, view: str, form: Form, tables: Tables, numbers: dict[str, Any]) -> Listed:
    """A profile's plugin with its parameters: the producer that it reads, if not the default one, and its own."""
    parameters: dict[str, Any] = {}
    how = tables.consumed({"type": each.plugin}).get(PREFIXES)
    if how and form.views:
        producer = form.views[each.view or view].called
        if producer != _default(form):
            parameters[how] = producer
    own = form.parameters.get(each.called, form.parameters.get(each.plugin, {}))
    return _written(Plugin(each.plugin, {**parameters, **own}), numbers, each.called)


def _written(plugin: Plugin, numbers: dict[str, Any], name: str = "") -> Listed:
    found: Listed = {"type": plugin.type}
    if name not in ("", plugin.type):
        found["name"] = name
    parameters = filled(plugin.parameters, numbers)
    return {**found, "parameters": parameters} if parameters else found


def _document(
    tables: Tables, gates: tuple[str, ...], order: tuple[Part, ...], parts: dict[str, list[Listed]], fed: View | None
) -> dict[str, Any]:
    config: dict[str, Any] = {"apiVersion": tables.facts["api_version"], "kind": "EndpointPickerConfig"}
    if gates:
        config["featureGates"] = list(gates)
    config["plugins"] = [plugin for part in order for plugin in parts.get(part, ())]
    if fed is not None:
        config["dataLayer"] = {"sources": [{"pluginRef": fed.source, "extractors": [{"pluginRef": fed.called}]}]}
    return config


def _references(role_filter: str | None, references: tuple[Reference, ...], picker: Plugin) -> list[Listed]:
    first = [{"pluginRef": role_filter}] if role_filter else []
    asked = [
        {"pluginRef": each.called, **({} if each.weight is None else {"weight": each.weight})} for each in references
    ]
    return [*first, *asked, {"pluginRef": picker.type}]
