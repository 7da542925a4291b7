"""`llmdgen list`: what a spec may name, as tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from llmdgen.cli.terminal import columns, say
from llmdgen.facts import catalogue


def _paths() -> str:
    return columns(_abouts(), ("PATH", "WHAT IT IS"))


def _abouts() -> list[tuple[str, str]]:
    """Every path with what the newest release that has it says of it."""
    about = {
        name: settings["about"]
        for release in catalogue.release_names()
        for name, settings in catalogue.release_toml(release, "paths.toml").items()
        if "about" in settings
    }
    return [(name, about[name]) for name in catalogue.path_names()]


def _instances() -> str:
    rows = []
    for name in catalogue.instance_names():
        each = catalogue.instance(name)
        memory = f"{each.gpu.memory_mib / 1024:.0f} GiB" if each.gpu.memory_mib else "-"
        efa = f"{each.efa.interfaces} {each.efa.generation or ''}".strip() if each.efa.interfaces else "-"
        rows.append(
            (
                name,
                each.gpu.count,
                each.gpu.model,
                memory,
                efa,
                each.vcpus,
                f"{each.memory_gib} GiB",
                each.hyperpod or "-",
            )
        )
    return columns(rows, ("INSTANCE TYPE", "GPUS", "GPU", "GPU MEMORY", "EFA", "VCPUS", "MEMORY", "HYPERPOD"))


def _models() -> str:
    rows = []
    for name in catalogue.model_names():
        each = catalogue.model(name)
        parameters = f"{each.parameters / 1e9:.1f}B" if each.parameters else "-"
        rows.append(
            (name, parameters, f"{each.weight_bytes / 2**30:.0f} GiB", each.max_position_embeddings, each.architecture)
        )
    return columns(rows, ("MODEL", "PARAMETERS", "WEIGHTS", "CONTEXT", "ARCHITECTURE"))


def _releases() -> str:
    rows = [(each.name, each.date, each.vllm, each.nixl) for each in map(catalogue.release, catalogue.release_names())]
    return columns(rows, ("RELEASE", "DATE", "VLLM", "NIXL"))


_TABLES: dict[str, Callable[[], str]] = {
    "paths": _paths,
    "instances": _instances,
    "models": _models,
    "releases": _releases,
}


_FACTS: dict[str, Callable[[], list[Any]]] = {
    "paths": lambda: [{"name": name, "about": about} for name, about in _abouts()],
    "instances": lambda: [catalogue.instance(name) for name in catalogue.instance_names()],
    "models": lambda: [catalogue.model(name) for name in catalogue.model_names()],
    "releases": lambda: [catalogue.release(name) for name in catalogue.release_names()],
}


@click.command(epilog="Exit codes: 0 done, 64 wrong usage.")
@click.argument("what", type=click.Choice(list(_TABLES)))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="json has all facts with their sources.",
)
def command(what: str, form: str) -> None:
    """List what a spec may name: well-lit paths, instance types, models or llm-d releases."""
    if form == "json":
        import msgspec

        text = msgspec.json.encode({"version": 1, what: _FACTS[what]()})
        click.echo(msgspec.json.format(text, indent=2).decode())
    else:
        say(_TABLES[what]())
