"""`llmdgen completion`: the script that makes a shell complete our commands, options and names."""

from __future__ import annotations

import click

VARIABLE = "_LLMDGEN_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(llmdgen completion bash)"     in ~/.bashrc
    zsh:   eval "$(llmdgen completion zsh)"      in ~/.zshrc
    fish:  llmdgen completion fish | source      in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from llmdgen.cli.main import cli

    complete = get_completion_class(shell)
    assert complete is not None
    script = complete(cli, {}, "llmdgen", VARIABLE)
    click.echo(script.source_template % script.source_vars())
