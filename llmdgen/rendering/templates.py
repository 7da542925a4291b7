"""Templates, rendered: by the Python that `scripts/compile_templates.py` made of them, or by Jinja itself.

Importing Jinja takes longer than a whole render needs, so the templates of a render are compiled ahead of time, from
Jinja's own syntax tree, into `compiled.py`. What is compiled is used only for the very text it was made of; for any
other, and for templates that a render does not need, Jinja is loaded. Both give the same bytes (tests/rendering).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llmdgen.rendering import compiled
from llmdgen.rendering.encoding import ENCODERS, kind
from llmdgen.resources import TEMPLATES


def render(template: str, **context: Any) -> str:
    """The text of a template; its name says how values are encoded (ms.yaml.j2, start.sh.j2)."""
    if _is_compiled(template):
        return compiled.TEMPLATES[template](context, ENCODERS[kind(template)])
    from llmdgen.rendering.environment import render as render_by_jinja

    return render_by_jinja(template, **context)


@cache
def _is_compiled(template: str) -> bool:
    """Whether the compiled template, and all that it includes, was made of the text that lies in templates/ now."""
    from hashlib import sha256

    sources = compiled.SOURCES.get(template, {})
    return bool(sources) and all(
        sha256((TEMPLATES / name).read_bytes()).hexdigest() == digest for name, digest in sources.items()
    )
