"""`llmdgen init`: a commented spec to start from, sized as the path itself would, or one of what others deployed."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

from llmdgen.cli import options, status
from llmdgen.cli.schema import NAME as SCHEMA
from llmdgen.cli.terminal import complain, count, report, say
from llmdgen.facts import catalogue
from llmdgen.findings import Located, SpecError
from llmdgen.planning.model import Plan
from llmdgen.spec.model import DEFAULT_RELEASE
from llmdgen.suggest import did_you_mean, nearest

USUAL_NODES = "p5en.48xlarge"  # room for the usual model in every role, and EFA
USUAL_MODEL = "openai/gpt-oss-120b"
MODEL_OF_PATH = {"wide-ep": "deepseek-ai/DeepSeek-R1-0528"}  # hundreds of experts are what it is for
ADOPTED = """\
# yaml-language-server: $schema={schema}
# Read by `llmdgen init --from`. What it left out, it said; `llmdgen explain` knows every code.
"""


@click.command(
    epilog="Exit codes: 0 done; 1 written, but something is missing or does not run so, or FILE exists; 64 wrong usage."
)
@click.argument("path", metavar="[PATH]", required=False, type=click.Choice(catalogue.path_names()))
@options.MODEL
@options.ONE_INSTANCE_TYPE
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
    name, schema = (_name(file), _schema(file)) if file else (None, None)
    if source is not None:
        text = _adopted(source, file or "the spec", name or path or "adopted", path, model, instance_type)
        return status.ERROR if text is None else _written(ADOPTED.format(schema=schema or SCHEMA) + text, file, schema)
    if path is None:
        raise click.UsageError(f"name a path, one of {', '.join(catalogue.path_names())}, or a deployment with --from")
    model = model or MODEL_OF_PATH.get(path, USUAL_MODEL)
    size, source = _asked_size(model), file or f"llmdgen init {path}"
    try:
        text, wrong = started(
            path, model, instance_type or USUAL_NODES, name or path, source, schema=schema or SCHEMA, size=size
        )
    except SpecError as error:
        report(error.findings)
        return status.ERROR
    code = _written(text, file, schema)
    report(wrong)
    return status.ERROR if wrong else code


def _adopted(source: str, shown: str, name: str, of: str | None, model: str | None, nodes: str | None) -> str | None:
    """The text of a spec out of what others deployed, after what it leaves out is said; None where there is none."""
    from llmdgen.adopt.found import UnusableSource
    from llmdgen.adopt.spec import adopted

    try:
        text, left, plan = adopted(source, shown, name, of=of, model=model, nodes=nodes)
    except UnusableSource as error:
        for each in error.left:
            complain(str(each))
        complain(f"{source}: error: {error}")
        return None
    except SpecError as error:
        report(error.findings)
        complain(f"{source}: error: what is in it does not validate as a spec, and nothing is written")
        return None
    for each in left:
        complain(str(each))
    sizes = [(role, role.size.gpus_per_pod * role.size.workers) for role in plan.roles]
    roles = ", ".join(f"{role.size.replicas} x {role.name} of {count(gpus, 'GPU')}" for role, gpus in sizes)
    served = f"{' with '.join(plan.paths)} of {plan.spec.asked.model.name} on {plan.target}"
    complain(f"{shown}: {served}: {roles}; {count(len(left), 'setting')} left out")
    return text


def _asked_size(model: str) -> str | None:
    """What the weights of a model take that the facts do not know, where somebody is there to say so."""
    if model in catalogue.model_names() or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    close = did_you_mean(model, catalogue.model_names(), listed_up_to=0)
    complain(f"llmdgen does not know {model}{f'; {close}' if close else ''}")
    given = click.prompt("GiB of its weights (nothing: set model.size later)", default="", show_default=False, err=True)
    return f"{int(given)}Gi" if given.isdigit() and int(given) else None


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
        say(f"{file}: written\nfor an editor that completes it: llmdgen schema > {missing}")
    return status.OK


def _name(file: str) -> str | None:
    """The name that a file's own name gives, None where a deployment cannot be called so."""
    from llmdgen.cli.work import CLUSTER
    from llmdgen.spec.fields import DNS_LABEL
    from llmdgen.spec.names import LONGEST_NAME

    stem = Path(file).stem
    return stem if re.search(DNS_LABEL, stem) and len(stem) <= LONGEST_NAME and stem != CLUSTER else None


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


def started(
    path: str, model: str, instance_type: str, name: str, source: str, *, schema: str = SCHEMA, size: str | None = None
) -> tuple[str, list[Located]]:
    """The text of a spec, and what is wrong with it, by the name `source`: what it lacks, or that the model does not
    run so on those nodes. `size` is that of a model which the facts do not know, None where nobody said it. Raises
    SpecError where it would not be a spec at all."""
    from llmdgen import api
    from llmdgen.rendering.encoding import render
    from llmdgen.spec.load import parse

    known = catalogue.model_names()

    def text(plan: Plan | None) -> str:
        """The spec; without a plan, without what only a plan knows."""
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
            known=model in known,
            nearest=" or ".join(nearest(model, known, limit=2)),
            size=plan.model_size if plan else size,
            roles=plan.roles if plan else (),
            most={flag: min(role.flags[flag] for role in plan.roles) for flag in plan.most} if plan else {},
        )

    bare = text(None)
    try:
        plan = api.draft(parse(bare, source)[0], instance_type)
    except SpecError as error:
        if any(each.finding.code.startswith("SPEC") for each in error.findings):
            raise
        return bare, list(error.findings)
    written = text(plan)
    found = api.check(api.draft(parse(written, source)[0], instance_type))
    return written, [each for each in found if each.is_error]
