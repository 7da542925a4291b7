"""Arguments and options that several commands share, with their completion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from llmdgen.api import targets
from llmdgen.facts import catalogue
from llmdgen.spec.model import Spec
from llmdgen.suggest import did_you_mean

_F = TypeVar("_F", bound=Callable[..., Any])

# Whether a spec can be read is told by its reader, with a code, as any other thing that is wrong with it.
SPEC_PATH = click.Path(readable=False)
SPEC_FILES = click.argument("specs", nargs=-1, required=True, metavar="SPEC...", type=SPEC_PATH)
SPEC_FILE = click.argument("spec", type=SPEC_PATH)


def _name(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """Nothing, or what may be the name of something: text that is not empty."""
    if given is not None and (not given.strip() or not given.isprintable()):
        says = f"{given!r} is not a name; `llmdgen list` shows those that are known"
        raise click.BadParameter(says, context, parameter)
    return given


def _named(context: click.Context, parameter: click.Parameter, name: str) -> str:
    """A name that is not empty, as that of a variable which is not set would be."""
    if not name:
        raise click.BadParameter("the name is empty; . is the directory where you are", context, parameter)
    return name


OUTPUT = click.option(
    "-o",
    "--output",
    "out",
    metavar="DIR",
    default="rendered",
    show_default=True,
    type=click.Path(file_okay=False),
    callback=_named,
    help="The directory of everything rendered.",
)


def completed(names: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def _instance_names() -> list[str]:
    return [f"{prefix}{name}" for prefix in ("", catalogue.HYPERPOD_PREFIX) for name in catalogue.instance_names()]


ONE_INSTANCE_TYPE = click.option(
    "--instance-type",
    metavar="T",
    callback=_name,
    help="The nodes, by their EC2 or ml. name.",
    shell_complete=completed(_instance_names),
)
MODEL = click.option(
    "--model",
    metavar="M",
    callback=_name,
    help="The model to serve, by its Hugging Face id.",
    shell_complete=completed(catalogue.model_names),
)


INSTANCE_TYPES = click.option(
    "--instance-type",
    "instance_types",
    metavar="T",
    multiple=True,
    help="Only this instance type of the specs, by its EC2 or ml. name; may be given again.",
    shell_complete=completed(_instance_names),
)


def form(*forms: str, text: str = "") -> Callable[[_F], _F]:
    """--format, one of those, the first where none is asked for."""
    choice = click.Choice(forms)
    return click.option("--format", "form", type=choice, default=forms[0], show_default=True, help=text or None)


def folder(name: str, text: str, exists: bool = True) -> Callable[[_F], _F]:
    """An option that names a directory."""
    return click.option(name, metavar="DIR", type=click.Path(exists=exists, file_okay=False), help=text)


def chosen(specs: list[Spec], asked: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The instance types to plan of each spec, all where none is asked for. Raises UsageError where no spec has one."""
    wanted = {name.removeprefix("ml.") for name in asked}
    has = [targets(spec) for spec in specs]
    known = {name for names in has for name in names}
    for name in sorted(wanted - known if specs else ()):
        hint = did_you_mean(name, sorted(known))
        raise click.UsageError(f"no spec here has the instance type {name!r}" + (f"; {hint}" if hint else ""))
    return [tuple(name for name in names if not wanted or name in wanted) for names in has]
