"""How values are written into each kind of text, so that none can leave its place.

The encoder of a template follows from its name (helmfile.yaml.j2, README.md.j2) and runs on each `{{ }}`, so that none
can forget it: YAML gets YAML scalars, Markdown text without markup. What functions write, they encode by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from llmdgen.resources import TEMPLATES
from llmdgen.shown import code_span
from llmdgen.yaml_text import Text, as_yaml, block

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

Encoder = Callable[[Any], Text]

_MARKDOWN = str.maketrans({character: "\\" + character for character in "\\`*_[]<>|#"})

_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


def shell_word(value: Any) -> Text:
    """A value as one word of a POSIX shell."""
    from shlex import quote

    if isinstance(value, Text):
        return Text(str(value))
    return Text(quote(str(value)))


def markdown(value: Any) -> Text:
    """A value as plain text of one line of Markdown."""
    if isinstance(value, Text):
        return Text(str(value))
    return Text(" ".join(str(value).translate(_MARKDOWN).split()))


def code(value: Any) -> Text:
    """A value between backticks, as it stands."""
    return Text(code_span(" ".join(str(value).split())))


def comment(value: Any) -> Text:
    """A value inside a comment: on one line."""
    return Text(" ".join(str(value).split()))


def xml(value: Any) -> Text:
    """A value as text or attribute of XML."""
    if isinstance(value, Text):
        return Text(str(value))
    return Text(str(value).translate(_XML))


def filled_markdown(template: str, **values: Any) -> Text:
    """Markdown with values in its `{}`, each as text without markup unless it is encoded already."""
    return Text(template.format(**{name: markdown(value) for name, value in values.items()}))


def filled_xml(template: str, **values: Any) -> Text:
    """XML with values in its `{}`, each as text or attribute unless it is encoded already."""
    return Text(template.format(**{name: xml(value) for name, value in values.items()}))


ENCODERS: dict[str, Encoder] = {"yaml": as_yaml, "md": markdown}
FILTERS: dict[str, Callable[..., Text]] = {"block": block, "code": code, "comment": comment}


def render(template: str, **context: Any) -> str:
    """The text of a template, by Jinja."""
    return environment(template.removesuffix(".j2").rpartition(".")[2]).get_template(template).render(**context)


@cache
def environment(writes: str) -> ImmutableSandboxedEnvironment:
    """The environment of templates that write yaml or md: sandboxed, strict about undefined names, and encoding."""
    from jinja2 import FileSystemLoader, StrictUndefined, Undefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

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
