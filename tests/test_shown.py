"""Names and values of others, wherever they are shown: nothing that shows them obeys them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdgen.shown import code_span, fence, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error file=a.yaml::pwned", "\\x3a:error file=a.yaml::pwned"),
        ("  ::stop-commands::x", "  \\x3a:stop-commands::x"),
        ("a ##[add-matcher]b", "a #\\x23[add-matcher]b"),
        ("a::b", "a::b"),
        ("\x1b[31mred\rgone", "\\x1b[31mred\\rgone"),
        ("plain text, with\ttab", "plain text, with\ttab"),
    ],
)
def test_no_line_steers_a_terminal_or_a_pipeline(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text("`a \n|", max_size=12))
def test_no_text_leaves_its_code_span(text: str) -> None:
    span = code_span(text)
    marks = re.match("`+", fence(text))
    assert marks is not None
    assert "\n" not in span
    inside = span.removeprefix(marks[0]).removesuffix(marks[0])
    assert max(map(len, re.findall("`+", inside)), default=0) < len(marks[0])
    assert "`" not in (inside[0], inside[-1])
