"""`llmdgen schema`: the JSON Schemas, of a spec for editors, and of what the commands print as JSON for programs."""

from __future__ import annotations

import os

import click

from llmdgen.resources import SCHEMAS

NAME = "wellitpath.v1alpha1.json"
FILES = {"spec": NAME, "findings": "findings.v1.json", "diff": "diff.v1.json"}


@click.command()
@click.argument("of", default="spec", metavar="[OF]", type=click.Choice(list(FILES)))
def command(of: str) -> None:
    """Print the JSON Schema of a spec (apiVersion llmdgen.dev/v1alpha1), or of what a command prints.

    OF is spec (the default), findings (validate --format json) or diff (diff --format json).

    Editors with a YAML language server read that of a spec where the spec's first line names it:

    \b
    llmdgen schema > wellitpath.v1alpha1.json
    # yaml-language-server: $schema=wellitpath.v1alpha1.json
    """
    with open(os.path.join(SCHEMAS, FILES[of]), encoding="utf-8") as file:
        click.echo(file.read(), nl=False)
