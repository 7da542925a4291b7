"""The template environments: sandboxed, strict about undefined names, and encoding every value for what they write."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmdgen.rendering.encoding import ENCODERS, FILTERS, kind
from llmdgen.resources import TEMPLATES


def render(template: str, **context: Any) -> str:
    """The text of a template, by Jinja."""
    return environment(kind(template)).get_template(template).render(**context)


@cache
def environment(writes: str) -> ImmutableSandboxedEnvironment:
    """The environment of templates that write yaml or md."""
    encode = ENCODERS[writes]

    def finalize(value: Any) -> str:
        return str(value) if isinstance(value, Undefined) else encode(value)

    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= FILTERS
    return made
