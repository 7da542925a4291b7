"""The form of a release's EndpointPickerConfig (scheduler.toml): what each path asks, and how that is written.

A release differs in the names of plugins and parameters, in who makes the data that scorers read, and in how a decider
is named. All of that is data. Parameters may hold the names of numbers in braces, which the plan works out:
`"{block_size}"` alone becomes the number, inside a longer text its digits.
"""

from typing import Any, Literal

from msgspec import Struct

from llmdgen.facts.catalogue import as_fact, release_toml

Part = Literal["header", "producers", "scored", "roles", "picker", "decider", "handler"]


class Plugin(Struct, frozen=True, forbid_unknown_fields=True):
    """A plugin as the configuration lists it."""

    type: str
    parameters: dict[str, Any] = {}


class Reference(Struct, frozen=True, forbid_unknown_fields=True):
    """A filter or scorer of a profile. A filter has no weight; nor has a scorer that takes the weight of what it
    replaces. `view` names what it knows of the caches, where a plugin of one type may read several."""

    plugin: str
    name: str = ""
    weight: int | float | None = None
    view: str = ""

    @property
    def called(self) -> str:
        return self.name or self.plugin


class View(Struct, frozen=True, forbid_unknown_fields=True):
    """A producer of what is cached where. `needs` are plugins that it does not work without, `source` the one among
    them that feeds it through the data layer."""

    type: str
    name: str = ""
    needs: tuple[str, ...] = ()
    source: str = ""

    @property
    def called(self) -> str:
        return self.name or self.type


class PathForm(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a path asks of the scheduler.

    `profiles` are its filters and scorers by profile, under `each` for every profile that is not named. `by_prefix` are
    those of profiles where a decider counts cached tokens. `instead` are what this path puts in place of another path's
    plugins. Of several paths with a `rank` the highest says what the profiles hold; one without adds to that. `view` is
    what plugins read of the caches that name no view themselves; `supersedes` are paths whose view is then not needed.
    """

    rank: int = 0
    profiles: dict[str, tuple[Reference, ...]] = {}
    by_prefix: dict[str, tuple[Reference, ...]] = {}
    instead: dict[str, tuple[Reference, ...]] = {}
    supersedes: tuple[str, ...] = ()
    view: str = ""

    @property
    def scorers(self) -> dict[str, int | float]:
        """The scorers that it brings, by name, with the weight of the first profile that has one."""
        lists = (*self.profiles.values(), *self.by_prefix.values(), *self.instead.values())
        found: dict[str, int | float] = {}
        for each in (each for references in lists for each in references):
            if each.weight is not None:
                found.setdefault(each.called, each.weight)
        return found


class Single(Struct, frozen=True, forbid_unknown_fields=True):
    """One profile: the order of the plugins' list, and the handler."""

    order: tuple[Part, ...]
    handler: Plugin


class Split(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A prefill and a decode profile: the filter of each role, and who decides which requests take both.

    `by_prefix_gates` are the feature gates that deciding by cached prefix needs, `one_scorer` the type of which only
    one plugin may stand beside it, because all write what the decider reads under one name.
    """

    order: tuple[Part, ...]
    header: Plugin | None = None
    roles: dict[str, str]
    handler: Plugin
    always: Plugin
    by_prefix: Plugin
    by_prefix_gates: tuple[str, ...] = ()
    one_scorer: str = ""


class KvEvents(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How vLLM's KV events reach the scheduler: who listens on the port, and vLLM's endpoint and topic."""

    listens: Literal["scheduler", "engine"]
    endpoint: str
    topic: str


class Peak(Struct, frozen=True, forbid_unknown_fields=True):
    """Prompt tokens a second that one server was measured to compute."""

    model: str
    gpu: str
    tensor: int
    tokens: int


class Throughput(Struct, frozen=True, forbid_unknown_fields=True):
    """Prefill throughput: what was measured, and the plugin's default for everything else."""

    default: int
    measured: tuple[Peak, ...] = ()


class Form(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """scheduler.toml of a release.

    `pickers` are the last plugin of each profile, where something scores and where nothing does. `values` leads to the
    scheduler's part of the router chart's values; `tokenizer` is where prompts become tokens for precise routing: in a
    sidecar, or at the model servers' own render endpoint. `parameters` are those of a plugin, by its name or else its
    type; `cache_backends` the weights of KV cache tiers; `paths` what each path asks.
    """

    sources: tuple[str, ...]
    single: Single
    split: Split
    pickers: dict[Literal["scored", "unscored"], Plugin]
    values: tuple[str, ...]
    tokenizer: Literal["sidecar", "render"]
    kv_events: KvEvents
    prefill_throughput: Throughput | None = None
    cache_backends: tuple[dict[str, Any], ...] = ()
    pod_cache_size: int = 10
    views: dict[str, View] = {}
    parameters: dict[str, dict[str, Any]] = {}
    paths: dict[str, PathForm] = {}


def form(release: str) -> Form:
    """The form of that release. Raises ValueError where its scheduler.toml is not of this type."""
    return as_fact(release_toml(release, "scheduler.toml"), Form, f"scheduler.toml of {release}")


def filled(value: Any, numbers: dict[str, Any]) -> Any:
    """The value with the numbers in place of their names in braces. A mapping's entry whose number is OMITTED goes."""
    if isinstance(value, dict):
        return {key: found for key, each in value.items() if (found := filled(each, numbers)) is not OMITTED}
    if isinstance(value, list | tuple):
        return [filled(each, numbers) for each in value]
    if not isinstance(value, str):
        return value
    if value.startswith("{") and value.endswith("}"):
        return numbers[value[1:-1]]
    return value.format_map(numbers) if "{" in value else value


OMITTED: Any = object()
"""The number of a parameter that the configuration leaves to its default."""
