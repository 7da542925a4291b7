"""`llmdgen list`: what a spec may name, as tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import click
from msgspec import Struct

from llmdgen.cli import options
from llmdgen.cli.terminal import columns, print_json, say
from llmdgen.facts import catalogue
from llmdgen.facts.types import Instance, ModelFacts
from llmdgen.spec.model import DEFAULT_RELEASE


class Listing(Struct, frozen=True):
    """A kind of thing: the heads of its table, a row of it, and the facts of all."""

    heads: tuple[str, ...]
    row: Callable[[Any], tuple[object, ...]]
    facts: Callable[[], Iterable[Any]]


def _paths() -> list[dict[str, str]]:
    table = catalogue.release_toml(DEFAULT_RELEASE, "paths.toml")
    return [{"name": name, "about": table[name]["about"]} for name in catalogue.path_names()]


def _instance(each: Instance) -> tuple[object, ...]:
    memory = f"{each.gpu.memory_mib / 1024:.0f} GiB" if each.gpu.memory_mib else "-"
    efa = f"{each.efa.interfaces} {each.efa.generation or ''}".strip() if each.efa.interfaces else "-"
    model = re.sub(r"^NVIDIA | \(?Blackwell.*", "", each.gpu.model)
    gpus = (each.gpu.count, model, memory)
    return each.name, *gpus, efa, each.vcpus, f"{each.memory_gib} GiB", "yes" if each.hyperpod else "-"


def _model(each: ModelFacts) -> tuple[object, ...]:
    parameters = f"{each.parameters / 1e9:.1f}B" if each.parameters else "-"
    weights = f"{each.weight_bytes / 2**30:.0f} GiB"
    return each.id, parameters, weights, each.max_position_embeddings


LISTINGS = {
    "paths": Listing(("PATH", "WHAT IT IS"), lambda each: (each["name"], each["about"]), _paths),
    "instances": Listing(
        ("INSTANCE TYPE", "GPUS", "GPU", "GPU MEMORY", "EFA", "VCPUS", "MEMORY", "HYPERPOD"),
        _instance,
        lambda: map(catalogue.instance, catalogue.instance_names()),
    ),
    "models": Listing(
        ("MODEL", "PARAMETERS", "WEIGHTS", "CONTEXT"),
        _model,
        lambda: map(catalogue.model, catalogue.model_names()),
    ),
    "releases": Listing(
        ("RELEASE", "DATE", "VLLM", "NIXL"),
        lambda each: (each.name, each.date, each.vllm, each.nixl),
        lambda: map(catalogue.release, catalogue.release_names()),
    ),
}


@click.command(epilog="Exit codes: 0 done, 64 wrong usage.")
@click.argument("what", type=click.Choice(list(LISTINGS)))
@options.form("table", "json", text="json has all facts with their sources.")
def command(what: str, form: str) -> None:
    """List what a spec may name: well-lit paths, instance types, models or llm-d releases."""
    listing = LISTINGS[what]
    facts = list(listing.facts())
    if form == "json":
        print_json({"version": 1, what: facts})
    else:
        say(columns(map(listing.row, facts), listing.heads))
