"""How values are written into each kind of text, so that none can leave its place.

The encoder of a Jinja template follows from its name (helmfile.yaml.j2, README.md.j2) and runs on each `{{ }}`, so that
none can forget it: YAML gets YAML scalars, Markdown text without markup. What functions write, they encode by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from shlex import quote
from typing import TYPE_CHECKING, Any

from llmdgen.resources import TEMPLATES
from llmdgen.shown import code_span
from llmdgen.yaml_text import Text, as_yaml, block

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

_MARKDOWN = str.maketrans({character: "\\" + character for character in "\\`*_[]<>|#"})

_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


def _encoder(encode: Callable[[str], str]) -> Callable[[Any], Text]:
    """The encoder of values that are not encoded already."""
    return lambda value: Text(str(value) if isinstance(value, Text) else encode(str(value)))


shell_word = _encoder(quote)
"""A value as one word of a POSIX shell."""
markdown = _encoder(lambda text: " ".join(text.translate(_MARKDOWN).split()))
"""A value as plain text of one line of Markdown."""
xml = _encoder(lambda text: text.translate(_XML))
"""A value as text or attribute of XML."""


def code(value: Any) -> Text:
    """A value between backticks, as it stands."""
    return Text(code_span(" ".join(str(value).split())))


def comment(value: Any) -> Text:
    """A value inside a comment: on one line."""
    return Text(" ".join(str(value).split()))


def filled_xml(template: str, **values: Any) -> Text:
    """XML with values in its `{}`, each as text or attribute unless it is encoded already."""
    return Text(template.format(**{name: xml(value) for name, value in values.items()}))


def render(template: str, **context: Any) -> str:
    """The text of a template, by Jinja."""
    return environment(template.removesuffix(".j2").rpartition(".")[2]).get_template(template).render(**context)


@cache
def environment(writes: str) -> ImmutableSandboxedEnvironment:
    """The environment of templates that write yaml or md: sandboxed, strict about undefined names, and encoding."""
    from jinja2 import FileSystemLoader, StrictUndefined, Undefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    encode = {"yaml": as_yaml, "md": markdown}[writes]

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
    made.filters |= {"block": block, "code": code, "comment": comment}
    return made
