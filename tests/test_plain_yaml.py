"""YAML as Kubernetes reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdgen.plain_yaml import YAMLError, load, load_all
from llmdgen.yaml_text import dump


@given(
    st.recursive(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])) | st.integers() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc-./", min_size=1), inner, max_size=3),
    )
)
def test_what_is_written_is_read_again(value: object) -> None:
    assert load(dump({"key": value})) == {"key": value}


def test_yes_is_a_boolean_and_a_date_is_text_as_in_kubernetes() -> None:
    assert load("a: yes\nb: 2026-03-05\nc: 1e+06\n") == {"a": True, "b": "2026-03-05", "c": 1_000_000.0}


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(YAMLError, match="duplicate key"):
        load("a: 1\na: 2\n")


def test_an_empty_document_is_none() -> None:
    assert load_all("---\n# nothing\n---\na: 1\n") == [None, {"a": 1}]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "a: &a [" + "x," * 90_000 + "]\nb: [" + "*a," * 30_000 + "]\n",
        "[" * 61 + "]" * 61,
    ],
    ids=["an alias of itself", "many aliases of a long list", "deep"],
)
def test_a_document_out_of_bounds_is_refused_before_it_unfolds(text: str) -> None:
    for read in (load, load_all):
        with pytest.raises(YAMLError, match="nested too deeply or too large"):
            read(text)
