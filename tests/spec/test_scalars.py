from __future__ import annotations

from typing import Any

import pytest

from llmdgen.spec.document import NotANumber, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_the_core_schema_has_null_booleans_and_numbers(text: str, value: Any) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "no",
        "on",
        "off",
        "y",
        "1_000",
        "12:30:45",
        "2026-10-01",
        "0b11",
        "1.2.3",
        "-",
        "+",
        ".",
        "0x",
        "nULL",
        "-0x1",
        "1e",
        "v1",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize(
    "text",
    [
        ".inf",
        "-.INF",
        ".nan",
        "1e999",
        "18446744073709551616",
        "-9223372036854775809",
        "0" * 5000,
        "017",
        "-010",
        "0o17",
        "9" * 5000,
        "0x" + "f" * 17,
    ],
)
def test_numbers_that_no_reader_holds_or_two_read_differently_are_refused(text: str) -> None:
    with pytest.raises(NotANumber):
        resolve(text)
