"""The template environments: sandboxed, strict about undefined names, and encoding every value for what they write.

`finalize` runs on each `{{ }}`, so a template cannot forget to encode: YAML gets YAML scalars, a shell script gets
quoted words, Markdown gets text without markup, SVG gets escaped text.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from os import W_OK, access
from typing import Any

from jinja2 import FileSystemBytecodeCache, FileSystemLoader, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmdgen.rendering.yaml_text import Text, as_yaml, block, lines
from llmdgen.resources import PACKAGE, TEMPLATES

_MARKDOWN = str.maketrans({character: "\\" + character for character in "\\`*_[]<>|#"})

_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


def shell_word(value: Any) -> Text:
    """A value as one word of a POSIX shell."""
    from shlex import quote

    if isinstance(value, Text | Undefined):
        return Text(str(value))
    return Text(quote(str(value)))


def markdown(value: Any) -> Text:
    """A value as plain text of one line of Markdown."""
    if isinstance(value, Text | Undefined):
        return Text(str(value))
    return Text(" ".join(str(value).translate(_MARKDOWN).split()))


def code(value: Any) -> Text:
    """A value between backticks, as it stands."""
    text = " ".join(str(value).split())
    fence = "``" if "`" in text else "`"
    return Text(f"{fence}{text}{fence}")


def comment(value: Any) -> Text:
    """A value inside a comment: on one line."""
    return Text(" ".join(str(value).split()))


def xml(value: Any) -> Text:
    """A value as text or attribute of XML."""
    if isinstance(value, Text | Undefined):
        return Text(str(value))
    return Text(str(value).translate(_XML))


_ENCODERS: dict[str, Callable[[Any], Text]] = {"yaml": as_yaml, "sh": shell_word, "md": markdown, "svg": xml}


def render(template: str, **context: Any) -> str:
    """The text of a template; its name says how values are encoded (ms.yaml.j2, start.sh.j2)."""
    kind = template.removesuffix(".j2").rpartition(".")[2]
    return _environment(kind).get_template(template).render(**context)


@cache
def _environment(kind: str) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=_ENCODERS[kind],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_compiled(),
        auto_reload=False,
    )
    environment.filters |= {"block": block, "lines": lines, "code": code, "comment": comment}
    return environment


def _compiled() -> FileSystemBytecodeCache | None:
    """Compiled templates lie beside the package's own .pyc files, where it may write; compiling takes longer than all
    else in a render. Jinja checks them against the template's text, so a stale one is never used."""
    folder = PACKAGE / "rendering" / "__pycache__"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return FileSystemBytecodeCache(str(folder), "template-%s.pyc") if access(folder, W_OK) else None
