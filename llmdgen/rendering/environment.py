"""The template environments: sandboxed, strict about undefined names, and encoding every value for what they write."""

from __future__ import annotations

from functools import cache
from os import W_OK, access
from typing import Any

from jinja2 import FileSystemBytecodeCache, FileSystemLoader, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmdgen.rendering.encoding import ENCODERS, FILTERS, kind
from llmdgen.resources import PACKAGE, TEMPLATES


def render(template: str, **context: Any) -> str:
    """The text of a template, by Jinja."""
    return environment(kind(template)).get_template(template).render(**context)


@cache
def environment(writes: str) -> ImmutableSandboxedEnvironment:
    """The environment of templates that write yaml, sh, md or svg."""
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
        bytecode_cache=_bytecode(),
        auto_reload=False,
    )
    made.filters |= FILTERS
    return made


def _bytecode() -> FileSystemBytecodeCache | None:
    """Jinja's compiled templates lie beside the package's own .pyc files, where it may write. Jinja checks them against
    the template's text, so a stale one is never used."""
    folder = PACKAGE / "rendering" / "__pycache__"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return FileSystemBytecodeCache(str(folder), "template-%s.pyc") if access(folder, W_OK) else None
