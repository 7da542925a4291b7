"""`llmdgen`: the commands by name, and the exit code of whatever happens. A command's module is imported when the
command is called, so that `--help` costs no more than click itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import StringIO
from typing import Any

import click

from llmdgen.cli import status
from llmdgen.version import VERSION

# Name: the module below llmdgen.cli that holds it as `command`, and its line in --help.
COMMANDS = {
    "render": ("render", "Write the directories that specs describe, or compare with them."),
    "validate": ("validate", "Run every check on specs and write nothing."),
    "plan": ("plan", "Show topology, placement and capacity of a spec."),
    "images": ("images", "Name every image and chart that specs pull, or the commands that copy them."),
    "nodes": ("nodes", "Print the planned nodes for a simulated cluster, to rehearse an apply."),
    "init": ("init", "Print a commented spec to start from."),
    "explain": ("explain", "Explain a diagnostic, a flag, a variable, a plugin, an instance type or a model."),
    "list": ("listing", "List paths, instance types, models or releases."),
    "schema": ("schema", "Print the JSON Schema of a spec, or of what a command prints."),
    "diff": ("diff", "Say what changed in meaning between specs, rendered trees or git revisions."),
    "upgrade": ("upgrade", "Rewrite specs for a later llm-d release and show what changes."),
    "verify": ("verify", "Run helmfile and helm on rendered directories and check the manifests."),
    "preflight": ("preflight", "Ask a live cluster, read-only, whether it can run a spec."),
    "completion": ("completion", "Print the completion script of a shell."),
}


# Whether something is coloured is decided once, in llmdgen.cli.terminal, and not again by click.
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120, "color": True}


class Commands(click.Group):
    """The commands of the table, each imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"llmdgen.cli.{COMMANDS[cmd_name][0]}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from llmdgen.suggest import did_you_mean

            hint = did_you_mean(args[0], COMMANDS, listed_up_to=0)
            ctx.fail(f"No such command {args[0]!r}." + (f" {hint.capitalize()}" if hint else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table as it stands, where click would import every command to ask it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(cls=Commands, context_settings=SETTINGS)
@click.version_option(VERSION, prog_name="llmdgen", message="%(prog)s %(version)s")
def cli() -> None:
    """Turn a short spec of an llm-d well-lit path into directories that `helmfile apply` deploys on AWS.

    Exit codes: 0 done, 1 errors, 2 differs or, of preflight, unknown, 64 wrong usage, 130 and 143 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. Errors are lines on stderr, never a traceback."""
    _ready_streams()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code: Any = cli.main(list(given), prog_name="llmdgen", standalone_mode=False, obj=given)
        sys.stdout.flush()
        sys.stderr.flush()
    except click.UsageError as error:
        _show(error)
        return status.USAGE
    except click.ClickException as error:
        _show(error)
        return status.ERROR
    except Terminated:
        click.echo("llmdgen: terminated", err=True)
        return status.TERMINATED
    except (click.Abort, KeyboardInterrupt):
        click.echo("llmdgen: interrupted", err=True)
        return status.INTERRUPTED
    except BrokenPipeError:
        # The reader is gone, and Python would complain about it again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return status.ERROR
    except SystemExit as ended:
        # click ends so where a reader is gone while a command prints, and after it has answered a shell's completion.
        return ended.code if isinstance(ended.code, int) else status.OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"llmdgen: error: {where}{error.strerror or error}", err=True)
        return status.ERROR
    return code if isinstance(code, int) else status.OK


def _show(error: click.ClickException) -> None:
    """What click says of it, wrapped where a terminal is narrower."""
    from llmdgen.cli.terminal import folded

    said = StringIO()
    error.show(said)
    click.echo(folded(said.getvalue(), sys.stderr), err=True, nl=False)


class Terminated(BaseException):
    """SIGTERM, as an exception, so that what is under way is cleaned up as after ctrl-C."""


def terminate(number: int, frame: object) -> None:
    """What SIGTERM does to the program."""
    raise Terminated


def _ready_streams() -> None:
    """A stream that the caller has closed (`llmdgen schema >&-`) is None here, and nothing could be printed to it; one
    without UTF-8 shows what it cannot encode as escapes, where Python would stop."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        if reconfigure := getattr(getattr(sys, name), "reconfigure", None):
            reconfigure(errors="backslashreplace")
