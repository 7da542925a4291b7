"""`llmdgen explain`: diagnostics, vLLM's flags and variables, plugins, paths, releases, hardware and models."""

from __future__ import annotations

import click

from llmdgen.cli import status
from llmdgen.cli.terminal import complain, say

OTHERWISE = "`llmdgen list` and docs/diagnostics.md show what can be explained"


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from llmdgen.cli.topics import names

    return [topic for topic in names() if topic.startswith(incomplete)]


# --max-num-seqs is a topic here, not an option.
@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="Exit codes: 0 done, 1 nothing is known of TOPIC, 64 wrong usage.",
)
@click.argument("topic", metavar="TOPIC", type=click.UNPROCESSED, shell_complete=_complete)
def command(topic: str) -> int:
    """Explain what a spec or a finding names, with its source.

    TOPIC is a diagnostic (EFA003), a family of them (EFA), a vLLM flag (max-num-seqs), a variable of vLLM
    (VLLM_LOGGING_LEVEL), a scheduler plugin (queue-scorer), a well-lit path (wide-ep), a release (v0.5.1), an
    instance type (p5.48xlarge) or a model (openai/gpt-oss-120b).
    """
    from llmdgen.cli.topics import explain, names
    from llmdgen.suggest import did_you_mean

    text = explain(topic)
    if text is None:
        hint = did_you_mean(topic.lstrip("-"), names(), listed_up_to=0) or OTHERWISE
        complain(f"llmdgen: error: nothing is known of {topic!r} (fix: {hint})")
        return status.ERROR
    say(text)
    return status.OK
