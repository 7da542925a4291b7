"""Arguments and options that several commands share, with their completion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from llmdgen.spec.model import Spec

_F = TypeVar("_F", bound=Callable[..., Any])

# Whether a spec can be read is told by its reader, with a code, as any other thing that is wrong with it.
SPEC_PATH = click.Path(readable=False)
SPEC_FILES = click.argument("specs", nargs=-1, required=True, metavar="SPEC...", type=SPEC_PATH)
SPEC_FILE = click.argument("spec", type=SPEC_PATH)


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


def _complete_instances(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from llmdgen.facts.catalogue import instance_names

    prefix = "ml." if incomplete.startswith("ml.") else ""
    return [name for name in (f"{prefix}{each}" for each in instance_names()) if name.startswith(incomplete)]


def _complete_models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from llmdgen.facts.catalogue import model_names

    return [name for name in model_names() if name.startswith(incomplete)]


def instance_types() -> Callable[[_F], _F]:
    """--instance-type, any number of times."""
    text = "Only this instance type of the specs, by its EC2 or ml. name; may be given again."
    return click.option(
        "--instance-type",
        "instance_types",
        metavar="T",
        multiple=True,
        help=text,
        shell_complete=_complete_instances,
    )


def one_instance_type(text: str) -> Callable[[_F], _F]:
    """--instance-type, once."""
    return click.option("--instance-type", metavar="T", help=text, shell_complete=_complete_instances)


def model(text: str) -> Callable[[_F], _F]:
    """--model, by its Hugging Face id."""
    return click.option("--model", metavar="M", help=text, shell_complete=_complete_models)


def charts(text: str) -> Callable[[_F], _F]:
    """--charts, a directory that exists."""
    return click.option("--charts", metavar="DIR", type=click.Path(exists=True, file_okay=False), help=text)


def chosen(specs: list[Spec], asked: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The instance types to plan of each spec; all of them where none is asked for.

    Raises click.UsageError for one that no spec has.
    """
    from llmdgen.api import targets

    wanted = {name.removeprefix("ml.") for name in asked}
    has = [targets(spec) for spec in specs]
    known = {name for names in has for name in names}
    for name in sorted(wanted - known if specs else ()):
        from llmdgen.suggest import did_you_mean

        hint = did_you_mean(name, sorted(known))
        raise click.UsageError(f"no spec here has the instance type {name!r}" + (f"; {hint}" if hint else ""))
    return [tuple(name for name in names if not wanted or name in wanted) for names in has]
