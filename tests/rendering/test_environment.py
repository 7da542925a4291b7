"""Every kind of document encodes what stands between its braces."""

from __future__ import annotations

import shlex
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError

from llmdgen.rendering.encoding import code, comment, environment, markdown, shell_word, xml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=40)


@given(TEXT)
def test_a_shell_word_is_one_word(text: str) -> None:
    assert shlex.split(f"a {shell_word(text)} b") == ["a", text, "b"]


@given(TEXT)
def test_xml_text_reads_back_as_text_and_as_attribute(text: str) -> None:
    element = ElementTree.fromstring(f'<a b="{xml(text)}">{xml(text)}</a>')
    assert element.text or text == ""
    assert element.get("b") == text


@pytest.mark.parametrize("text", ["a | b", "<script>", "[x](http://y)", "*bold*", "`code`", "# head", "a\nb"])
def test_markdown_text_has_no_markup(text: str) -> None:
    written = markdown(text)
    assert "\n" not in written
    assert all(written[at - 1] == "\\" for at, character in enumerate(written) if character in "`*_[]<>|#")


def test_code_holds_backticks_and_comments_hold_no_lines() -> None:
    assert code("a`b") == "``a`b``"
    assert comment("a\nb: c") == "a b: c"


def test_templates_reach_no_internals() -> None:
    with pytest.raises(SecurityError):
        environment("yaml").from_string("{{ ''.__class__.__mro__ }}").render()
