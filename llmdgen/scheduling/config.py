"""The EndpointPickerConfig of a deployment, in the form of its release.

Three steps: what each profile asks (`_composed`), what the producers behind it are (`_producers`), and the document.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llmdgen.scheduling.form import Form, PathForm, Plugin, Reference, View, filled
from llmdgen.scheduling.tables import Tables

PREFIXES, LOAD, UNCACHED = "PrefixCacheMatchInfo", "InFlightLoad", "UncachedRequestTokens"
SINGLE, SPLIT = ("default",), ("prefill", "decode")
Profiles = dict[str, tuple[Reference, ...]]
Listed = dict[str, Any]


class Asked(Struct, frozen=True):
    """What the configuration is for, in the form and by the tables of its release: what each path asks, main first.
    `non_cached_tokens` is None where no prompt is computed apart from its answer, 0 where each is; `weights` are the
    spec's own, by scorer; `numbers` fill in the parameters."""

    form: Form
    tables: Tables
    paths: dict[str, PathForm]
    non_cached_tokens: int | None
    weights: dict[str, float]
    numbers: dict[str, Any]

    @property
    def view(self) -> str:
        """What plugins read that name no view: the view that a path brings, else the default one."""
        return next((each.view for each in self.paths.values() if each.view), "default")

    @property
    def default(self) -> str:
        """The producer that is read where none is named."""
        return self.form.views["default"].called

    def written(self, plugin: Plugin, name: str = "") -> Listed:
        """A plugin as the list has it."""
        found: Listed = {"type": plugin.type}
        if name not in ("", plugin.type):
            found["name"] = name
        parameters = filled(plugin.parameters, self.numbers)
        return {**found, "parameters": parameters} if parameters else found


def build(asked: Asked) -> tuple[dict[str, Any], dict[str, int | float]]:
    """The configuration that these paths give together, and by name its scorers with their largest weights."""
    form = asked.form
    profiles, by_prefix = _composed(asked)
    references = [each for found in profiles.values() for each in found]
    plugins = list({each.called: _listed(asked, each) for each in references}.values())
    producers, fed = _producers(asked, profiles, plugins, by_prefix)
    weights = [(each.called, each.weight) for each in references if each.weight is not None]
    picker = form.pickers["scored" if weights else "unscored"]
    parts = {"scored": plugins, "producers": producers, "picker": [asked.written(picker)]}
    roles: dict[str, str] = {}
    config: dict[str, Any] = {"apiVersion": asked.tables.facts["api_version"], "kind": "EndpointPickerConfig"}
    if asked.non_cached_tokens is None:
        order, parts["handler"] = form.single.order, [asked.written(form.single.handler)]
    else:
        split, roles, order = form.split, form.split.roles, form.split.order
        decider = split.by_prefix if by_prefix else split.always
        if by_prefix and split.by_prefix_gates:
            config["featureGates"] = list(split.by_prefix_gates)
        parts["header"] = [asked.written(split.header)] if split.header else []
        parts["roles"] = [{"type": each} for each in roles.values()]
        parts["decider"] = [asked.written(decider)]
        with_decider = {**asked.numbers, "decider": decider.type}
        parts["handler"] = [replace(asked, numbers=with_decider).written(split.handler)]
    config["plugins"] = [plugin for part in order for plugin in parts.get(part, ())]
    if fed is not None:
        config["dataLayer"] = {"sources": [{"pluginRef": fed.source, "extractors": [{"pluginRef": fed.called}]}]}
    last = {"pluginRef": picker.type}
    config["schedulingProfiles"] = [
        {
            "name": name,
            "plugins": [
                *([{"pluginRef": roles[name]}] if name in roles else []),
                *({"pluginRef": each.called} | _weight(each) for each in found),
                last,
            ],
        }
        for name, found in profiles.items()
    ]
    return config, dict(sorted(weights, key=lambda each: each[1]))


def _weight(each: Reference) -> dict[str, int | float]:
    return {} if each.weight is None else {"weight": each.weight}


def _composed(asked: Asked) -> tuple[Profiles, bool]:
    """The filters and scorers of each profile, and whether a decider counts cached tokens there."""
    present, one = asked.paths, asked.form.split.one_scorer
    first = max(present.values(), key=lambda each: each.rank)
    leading = [name for name, each in present.items() if each is first or not each.rank]
    lists = [found for path in leading for found in present[path].profiles.values()]
    counts = bool(asked.non_cached_tokens) and (not one or any(each.plugin == one for found in lists for each in found))
    kept = one if counts else ""
    profiles: Profiles = {}
    for profile in SINGLE if asked.non_cached_tokens is None else SPLIT:
        found: dict[
            tuple[str, str], Reference
        ] = {}  # each plugin that knows the same once, with the first one's weight
        for path in leading:
            asking = present[path]
            of_path = {**asking.profiles, **asking.by_prefix} if counts else asking.profiles
            for each in of_path.get(profile, of_path.get("each", ())):
                for one_of in _replaced(each, path, present, kept):
                    found.setdefault((one_of.plugin, one_of.view), one_of)
        references = list(found.values())
        # Of several that a decider reads the last, whose cache holds the most, with the weight of all of them.
        same = [each for each in references if kept and each.plugin == kept]
        if len(same) > 1:
            last = replace(same[-1], weight=sum(each.weight or 0 for each in same))
            references = [last if each is same[-1] else each for each in references if each not in same[:-1]]
        own = asked.weights
        weights = [None if each.weight is None else own.get(each.called, each.weight) for each in references]
        profiles[profile] = tuple(map(lambda each, weight: replace(each, weight=weight), references, weights))
    return profiles, counts


def _replaced(each: Reference, path: str, present: dict[str, PathForm], kept: str) -> Iterable[Reference]:
    """What stands in a reference's place: what another path puts there. What a decider reads (`kept`) stays."""
    superseded = {name for other in present.values() for name in other.supersedes}
    for name, other in present.items():
        if each.plugin != kept and name != path and name not in superseded and each.called in other.instead:
            news = other.instead[each.called]
            return [replace(new, weight=each.weight) if new.weight is None else new for new in news]
    return (each,)


def _producers(
    asked: Asked, profiles: Profiles, plugins: list[Listed], by_prefix: bool
) -> tuple[list[Listed], View | None]:
    """The producers of what the plugins read, and the view that the data layer feeds.

    A handler, or a decider, reads the producer of the default name, whatever the scorers read.
    """
    form, tables = asked.form, asked.tables
    if not form.views:
        return [], None
    consumers = list(plugins)
    if asked.non_cached_tokens is not None:
        decider = form.split.by_prefix if by_prefix else form.split.always
        consumers += [{"type": form.split.handler.type}, {"type": decider.type}]
    asking = {each.called: each.view or asked.view for found in profiles.values() for each in found}
    read: set[str] = set()
    used = set()
    for each in consumers:
        consumed = tables.consumed(each["type"])
        read |= consumed.keys()
        if PREFIXES in consumed:
            own = asking.get(each.get("name") or each["type"], asked.view)
            used.add(own if consumed[PREFIXES] else "default")
    views = [view for name, view in form.views.items() if name in used]
    listed: list[Listed] = []
    for view in views:
        listed += [asked.written(Plugin(each, form.parameters.get(each, {}))) for each in view.needs]
        listed.append(asked.written(Plugin(view.type, form.parameters.get(view.called, {})), view.called))
    source = next((view for view in reversed(views) if view.source), None)
    load = tables.default_producer(LOAD)
    if load and LOAD in read:
        # Tokens that are not cached are counted by the view that knows most: the one with events, else the last.
        best = source.called if source else views[-1].called if views else asked.default
        given = {tables.consumed(load)[PREFIXES]: best} if UNCACHED in read and best != asked.default else {}
        listed.append({"type": load, **({"parameters": given} if given else {})})
    return listed, source


def _listed(asked: Asked, each: Reference) -> Listed:
    """A profile's plugin with its parameters: the producer that it reads, if not the default one, and its own."""
    form, parameters = asked.form, {}
    how = asked.tables.consumed(each.plugin).get(PREFIXES)
    if how and form.views and form.views[each.view or asked.view].called != asked.default:
        parameters[how] = form.views[each.view or asked.view].called
    own = form.parameters.get(each.called, form.parameters.get(each.plugin, {}))
    return asked.written(Plugin(each.plugin, {**parameters, **own}), each.called)
