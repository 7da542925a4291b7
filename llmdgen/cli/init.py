"""`llmdgen init`: a commented spec to start from, sized as the path itself would."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from llmdgen.cli import options, status
from llmdgen.cli.schema import NAME as SCHEMA
from llmdgen.cli.terminal import complain, report, say
from llmdgen.facts import catalogue
from llmdgen.findings import SpecError
from llmdgen.planning.model import Plan

USUAL_NODES = "p5en.48xlarge"  # room for the usual model in every role, and EFA
USUAL_MODEL = "openai/gpt-oss-120b"
MODEL_OF_PATH = {"wide-ep": "deepseek-ai/DeepSeek-R1-0528"}  # hundreds of experts are what it is for
ROOMY = "500Gi"  # of a model that the facts do not know


@click.command(epilog="Exit codes: 0 done; 1 the model does not run so on those nodes, or FILE exists; 64 wrong usage.")
@click.argument("path", metavar="[PATH]", required=False, type=click.Choice(catalogue.path_names()))
@options.model("The model to serve, by its Hugging Face id.")
@options.one_instance_type("The nodes, by their EC2 or ml. name.")
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write FILE, which must not exist yet. The deployment gets its name.",
)
@click.option(
    "--from",
    "source",
    metavar="DIR",
    type=click.Path(exists=True),
    help="Read a deployment instead: values of llm-d's guides, or Deployments and LeaderWorkerSets; DIR or a file.",
)
def command(
    path: str | None, model: str | None, instance_type: str | None, file: str | None, source: str | None
) -> int:
    """Print a commented spec of the well-lit path PATH to start from, or with --from one of what is deployed."""
    name = _name(file) if file else None
    if source is not None:
        from llmdgen.cli.adopting import adopted_spec

        schema = _schema(file) if file else None
        given = [
            _text_of(option, text) if text else None
            for option, text in (("--model", model), ("--instance-type", instance_type))
        ]
        adopted = adopted_spec(source, file, name, schema or SCHEMA, path, *given)
        return status.ERROR if adopted is None else _written(adopted, file, schema)
    if path is None:
        raise click.UsageError(f"name a path, one of {', '.join(catalogue.path_names())}, or a deployment with --from")
    model = MODEL_OF_PATH.get(path, USUAL_MODEL) if model is None else _text_of("--model", model)
    instance_type = USUAL_NODES if instance_type is None else _text_of("--instance-type", instance_type)
    schema = _schema(file) if file else None
    try:
        text = starting_spec(path, model, instance_type, name or path, schema or SCHEMA)
    except SpecError as error:
        report(error.findings)
        return status.ERROR
    return _written(text, file, schema)


def _written(text: str, file: str | None, schema: str | None) -> int:
    """Print the spec, or write the file, which must not exist."""
    if file is None:
        click.echo(text, nl=False)
        return status.OK
    try:
        # Never through a link, and never over a file that appears between a look and the writing.
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "w", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        complain(f"{file}: error: the file exists and is not overwritten (fix: name another with -o)")
        return status.ERROR
    except FileNotFoundError:
        complain(f"{file}: error: there is no directory for the file (fix: make it, or name another file with -o)")
        return status.ERROR
    if schema is None:
        missing = Path(file).with_name(SCHEMA)
        say(f"{file}: written; for an editor that completes and explains it: llmdgen schema > {missing}")
    return status.OK


def _name(file: str) -> str | None:
    """The name that a file's own name gives, None where a deployment cannot be called so."""
    from llmdgen.cli.making import CLUSTER
    from llmdgen.spec.fields import DNS_LABEL
    from llmdgen.spec.names import LONGEST_NAME

    stem = Path(file).stem
    fits = re.search(DNS_LABEL, stem) and len(stem) <= LONGEST_NAME and stem != CLUSTER
    return stem if fits else None


def _text_of(option: str, given: str) -> str:
    """What an option was given, where it is text. Raises click.UsageError where it is empty or holds other bytes."""
    if not given.strip() or not given.isprintable():
        raise click.UsageError(f"{option}: {given!r} is not a name; `llmdgen list` shows those that are known")
    return given


def _schema(file: str) -> str | None:
    """The way from a spec to a schema that is there: beside it, or above it in its repository; None where none is."""
    folder = Path(file).absolute().parent
    for above in (folder, *folder.parents):
        for found in (above / SCHEMA, above / "schemas" / SCHEMA):
            if found.is_file():
                return os.path.relpath(found, folder).replace(os.sep, "/")
        if (above / ".git").exists():
            break
    return None


def starting_spec(path: str, model: str, instance_type: str, name: str, schema: str = SCHEMA) -> str:
    """The text of a spec that validates. Raises SpecError where the model does not run so on those nodes."""
    from llmdgen import api
    from llmdgen.spec.load import parse

    bare = _text(path, model, instance_type, name, schema, None)
    plan = api.draft(parse(bare, f"llmdgen init {path}")[0], instance_type)
    text = _text(path, model, instance_type, name, schema, plan)
    api.plan(parse(text, f"llmdgen init {path}")[0], instance_type)
    return text


def _text(path: str, model: str, instance_type: str, name: str, schema: str, plan: Plan | None) -> str:
    """The spec; without a plan, without what only a plan knows."""
    from llmdgen.rendering.encoding import render
    from llmdgen.spec.model import DEFAULT_RELEASE

    return render(
        "init.yaml.j2",
        schema=schema,
        about=catalogue.release_toml(DEFAULT_RELEASE, "paths.toml")[path]["about"],
        path=path,
        name=name,
        other="inference-scheduling" if path == "tiered-prefix-cache" else "tiered-prefix-cache",
        release=DEFAULT_RELEASE,
        instance_types=[instance_type],
        model=model,
        known=model in catalogue.model_names(),
        size=plan.model_size if plan else ROOMY,
        roles=plan.roles if plan else (),
        most={flag: min(role.flags[flag] for role in plan.roles) for flag in plan.most} if plan else {},
    )
