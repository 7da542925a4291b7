"""What a YAML parser's complaint means to the person who wrote the file."""

from __future__ import annotations

import re
from typing import Any

from llmdgen.spec.places import Position

Explained = tuple[Position, str, str]
"""The place, the reason and the fix."""

_CANNOT_START = r"found character (.+) that cannot start any token"
_LINE_BREAK = r"\r\n|\r|\n"
_OTHER_FIX = "check the quotes, brackets, colons and indentation around here"


def explain(error: Any, text: str, last: Position, innermost: Position | None) -> Explained:
    """Explain an error of ruamel.yaml, or a ValueError of one of its escapes. `last` is where the last thing before the
    error starts, `innermost` the collection that was open."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "")
    context = str(getattr(error, "context", None) or "")
    if mark is None:
        return last, "an escape or a directive near here is malformed", _OTHER_FIX
    at = (mark.line + 1, mark.column + 1)
    tab = _tab_in_indentation(text, at[0])
    if tab:
        return tab, "the line is indented with a tab", "indent with spaces"
    opened = getattr(error, "context_mark", None)
    if "expected ':'" in problem and opened is not None:
        return (opened.line + 1, opened.column + 1), "a line without a colon", "write it as `key: value`"
    if "mapping values are not allowed" in problem and at[0] > 1 and ":" not in _line(text, at[0])[: mark.column]:
        return (
            at,
            "a key inside the text that starts above",
            "give the line above its colon, or correct the indentation",
        )
    start = opened.line + 1 if opened is not None else None
    if "flow node" in context and innermost is not None:
        start = innermost[0]
    return (at, *_reason(problem, context, f" opened in line {start}" if start else ""))


def _reason(problem: str, context: str, since: str) -> tuple[str, str]:
    starts = re.search(_CANNOT_START, problem)
    if starts and starts[1] in ("'\\t'", "'\t'"):
        return "a tab stands where a space belongs", "replace the tab with a space"
    if starts:
        return f"unquoted text cannot start with {starts[1]}", "put the text in quotes"
    if "mapping values are not allowed" in problem:
        return "a colon where no key can be", "put text that holds ': ' in quotes, or correct this line's indentation"
    if "flow sequence" in context or ("flow" in context and "']'" in problem):
        return f"the list{since} is not closed", "close it with ], and put a comma between its entries"
    if "flow mapping" in context:
        return f"the mapping{since} is not closed", "close it with }, and put a comma between its entries"
    if "flow node" in context:
        return f"the list or mapping{since} is not closed", "close it with ] or }, and write an entry after each comma"
    if "quoted scalar" in context and "unknown escape" in problem:
        return "a backslash in double quotes starts an escape, and this is none", "use single quotes, or write \\\\"
    if "quoted scalar" in context and ("end of stream" in problem or "document separator" in problem):
        return f"the quoted text{since} is not closed", "close it with the same quote"
    if "quoted scalar" in context:
        return "a malformed escape in double quotes", "use single quotes"
    if "expected <block end>" in problem:
        return (
            f"this does not belong to the {'list' if 'collection' in context else 'mapping'}{since}",
            "indent it like its neighbours, and put text with quotes in it wholly in quotes",
        )
    if "block scalar" in context:
        return "a malformed header of a text block", "end the line after | or >, or put the text in quotes"
    if "YAML document" in problem or "directive" in context or "directive" in problem:
        return "a malformed directive", "delete the line that starts with %"
    if "anchor" in context or "alias" in context:
        return "a malformed anchor or alias", "put text that starts with & or * in quotes"
    if "tag" in context:
        return "a malformed tag", "put text that starts with ! in quotes"
    if "expected '<document start>'" in problem:
        return "text after the end of the document", "put --- on its own line before a further document"
    return problem or "the file is not YAML", _OTHER_FIX


def _tab_in_indentation(text: str, line: int) -> tuple[int, int] | None:
    """Where the given line, or the one before it, has a tab in its indentation."""
    for number in (line, line - 1):
        written = _line(text, number)
        indentation = written[: len(written) - len(written.lstrip(" \t"))]
        if "\t" in indentation and written.strip():
            return number, indentation.index("\t") + 1
    return None


def _line(text: str, number: int) -> str:
    """A line of the text by its number; an empty one outside."""
    lines = re.split(_LINE_BREAK, text)
    return lines[number - 1] if 0 < number <= len(lines) else ""
