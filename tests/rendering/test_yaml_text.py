"""Values as YAML: what is written reads back as the same value, in every parser, whatever it holds."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from ruamel.yaml import YAML

from llmdgen.rendering.encoding import environment
from llmdgen.yaml_text import as_yaml, block, dump

# What YAML 1.1 or 1.2, Go's parser among them, takes for something other than a string, or for syntax.
_WORDS = r"""no No NO yes on off y n ~ null Null true False 1e3 1E+3 .5 +1 -1 0x1f 0o17 0b1 017 1_000 12:30:45 190:20
.inf .NaN 2026-01-01 2026-01-01T00:00:00Z = << * & ! % @ ` ? - : , [ ] { } # | > ' " {{ }} {{x}} {%a%} --- ... a:b a:
a#b key: -flag --flag --flag=1 $(VAR) ${VAR} \ \n 64Gi 500m 10s 1Mi /a/b a@b a=b NaN inf e3 1e 0 00 1. 1.0 y: no: =="""
AWKWARD = tuple(_WORDS.split())
STRINGS = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
    | st.sampled_from(AWKWARD)
    | st.tuples(
        st.sampled_from(AWKWARD), st.sampled_from(["\n", " ", "\t", "\n- ", "\nkey: "]), st.sampled_from(AWKWARD)
    ).map("".join)
)
NUMBERS = st.integers(min_value=-(2**53), max_value=2**53) | st.booleans() | st.none()
VALUES = st.recursive(
    STRINGS | NUMBERS | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=12,
)


def _both(text: str) -> tuple[Any, Any]:
    """The text as YAML 1.2 (ruamel) and as YAML 1.1 (PyYAML)."""
    return YAML(typ="safe", pure=True).load(StringIO(text)), yaml.safe_load(text)


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_strings_stay_strings(text: str) -> None:
    assert _both(f"key: {as_yaml(text)}\n") == ({"key": text}, {"key": text})


@settings(max_examples=400)
@given(STRINGS)
def test_any_string_stays_in_its_place(text: str) -> None:
    expected = {"before": 1, "key": text, "after": [text, 2]}
    assert _both(f"before: 1\nkey: {as_yaml(text)}\nafter:\n  - {as_yaml(text)}\n  - 2\n") == (expected, expected)


@settings(max_examples=400)
@given(VALUES)
def test_any_value_reads_back(value: Any) -> None:
    assert _both(dump(value)) == (value, value)


@settings(max_examples=200)
@given(
    st.lists(VALUES, min_size=1, max_size=3) | st.dictionaries(STRINGS, VALUES, min_size=1, max_size=3),
    st.integers(0, 12),
)
def test_a_block_reads_back_at_any_depth(value: Any, indent: int) -> None:
    text = "key:\n" + " " * (indent + 2) + block(value, indent + 2) + "\nafter: 1\n"
    assert _both(text) == ({"key": value, "after": 1}, {"key": value, "after": 1})


def _rendered(template: str, **context: Any) -> Any:
    found = _both(environment("yaml").from_string(template).render(**context))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    "name", ["no", "1e3", "{{ x }}", "a\nprivileged: true", "a # b", "'", '"', "a: b", "- a", "\u2028x"]
)
def test_a_template_cannot_be_broken_out_of(name: str) -> None:
    assert _rendered("secret: {{ name }}\nlast: 1\n", name=name) == {"secret": name, "last": 1}
    assert _rendered("{% for n in names %}\n- {{ n }}\n{% endfor %}\n", names=[name, name]) == [name, name]


def test_a_template_stops_at_a_name_that_is_not_there() -> None:
    with pytest.raises(UndefinedError, match="secret"):
        _rendered("secret: {{ secret }}\n")


def test_flags_and_paths_read_as_a_person_would_write_them() -> None:
    assert [as_yaml(each) for each in ("--enable-eplb", "/dev/shm", "64Gi", "openai/gpt-oss-120b", "8", '{"a":1}')] == [
        "--enable-eplb",
        "/dev/shm",
        "64Gi",
        "openai/gpt-oss-120b",
        '"8"',
        "'{\"a\":1}'",
    ]
