"""`llmdgen explain`: a diagnostic, a vLLM flag, an instance type or a model, each with its source."""

from __future__ import annotations

import click

from llmdgen.cli import status
from llmdgen.cli.terminal import complain, say


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from llmdgen.cli.topics import names

    return [topic for topic in names() if topic.startswith(incomplete)]


# --max-num-seqs is a topic here, not an option.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("topic", metavar="TOPIC", type=click.UNPROCESSED, shell_complete=_complete)
def command(topic: str) -> int:
    """Explain a diagnostic (EFA003), a vLLM flag (max-num-seqs), an instance type (p5.48xlarge) or a model."""
    from llmdgen.cli.topics import explain, names
    from llmdgen.suggest import did_you_mean

    text = explain(topic)
    if text is None:
        hint = did_you_mean(topic.lstrip("-"), names(), listed_up_to=0)
        complain(f"llmdgen: error: nothing is known of {topic!r}" + (f" (fix: {hint})" if hint else ""))
        return status.ERROR
    say(text)
    return status.OK
