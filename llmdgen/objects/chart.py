"""The local chart: objects as files that Helm passes on as they stand.

Helm reads each file below templates/ as a Go template. The only thing in it that Helm would execute, two opening
braces, is written as an action that prints them, so that a text comes out as it went in.
"""

from __future__ import annotations

from collections.abc import Iterable

from llmdgen.objects.object import Object
from llmdgen.yaml_text import dump

FOLDER = "chart"
NAME = "model-servers"
_OPENING, _PRINTED = "{{", "{{ `{{` }}"


def chart_files(objects: Iterable[Object], release: str) -> dict[str, str]:
    """The files of the chart, by their paths in the target; `release` is the llm-d release."""
    about = {
        "apiVersion": "v2",
        "name": NAME,
        "description": "Model servers, Gateway and route, as they are applied; Helm fills nothing in.",
        "version": release.removeprefix("v"),
    }
    texts = {f"templates/{each.file}": passed_on(dump(each.doc, each.comments)) for each in objects}
    return {f"{FOLDER}/{name}": text for name, text in {"Chart.yaml": dump(about), **texts}.items()}


def passed_on(text: str) -> str:
    """A text that Helm prints as the one given."""
    return text.replace(_OPENING, _PRINTED)


def as_printed(text: str) -> str:
    """What Helm prints of a text that `passed_on` wrote."""
    return text.replace(_PRINTED, _OPENING)
