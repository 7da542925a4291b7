"""`llmdgen schema`: the JSON Schema of a spec, for editors."""

from __future__ import annotations

import click

from llmdgen.resources import SCHEMAS

NAME = "wellitpath.v1alpha1.json"


@click.command()
def command() -> None:
    """Print the JSON Schema of a spec (apiVersion llmdgen.dev/v1alpha1).

    Editors with a YAML language server read it where the spec's first line names it:

    \b
    llmdgen schema > wellitpath.v1alpha1.json
    # yaml-language-server: $schema=wellitpath.v1alpha1.json
    """
    click.echo((SCHEMAS / NAME).read_text("utf-8"), nl=False)
