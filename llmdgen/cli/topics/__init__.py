"""Everything that `llmdgen explain` knows, one kind of thing a file.

Each module has `names()`, what can be asked, and `explain(topic)`, the text on it, None where it knows nothing of it.
"""

from __future__ import annotations

from typing import Protocol

from llmdgen.cli.topics import flag, instance, model, path, plugin, release, rule, variable


class Topic(Protocol):
    """What a module of this folder offers."""

    def names(self) -> list[str]: ...

    def explain(self, topic: str) -> str | None: ...


KINDS: tuple[Topic, ...] = (rule, instance, model, path, release, plugin, flag, variable)


def names() -> list[str]:
    """Everything that can be explained, by the name one would type."""
    return list(dict.fromkeys(name for kind in KINDS for name in kind.names()))


def explain(topic: str) -> str | None:
    """All that is known of a topic, None where nothing is. Case does not matter, nor dashes before a flag.

    A name may be that of several things: tokenizer is a flag of vLLM and a plugin of the scheduler.
    """
    return "\n\n".join(text for kind in KINDS if (text := kind.explain(topic)) is not None) or None
