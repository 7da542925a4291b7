"""Kubernetes quantities as numbers and back."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdgen.engine.numbers import decimal, whole
from llmdgen.quantities import cpu_text, mib_text, to_bytes, to_millis

BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
NUMBER = st.decimals(min_value=0, max_value=10**6, places=3)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64Gi", 64 * 2**30),
        ("1.5Gi", 1536 * 2**20),
        ("2Ti", 2 * 2**40),
        ("500M", 500_000_000),
        ("1k", 1000),
        ("7", 7),
        ("0.1", 1),
    ],
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert to_bytes(text) == size


@pytest.mark.parametrize("text", ["64m", "1Kib", "Gi", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_bytes(text)


@pytest.mark.parametrize(
    ("text", "millis"), [("16", 16000), ("1500m", 1500), ("0.5", 500), ("1.0005", 1001), ("2k", 2_000_000)]
)
def test_cpus_are_millicores_rounded_up(text: str, millis: int) -> None:
    assert to_millis(text) == millis


@given(NUMBER, st.sampled_from(sorted(BINARY)))
def test_sizes_are_exact_and_rounded_up(number: Decimal, unit: str) -> None:
    exact = (number * BINARY[unit]).to_integral_value(ROUND_CEILING)
    assert to_bytes(f"{number:f}{unit}") == int(exact)


@given(st.integers(min_value=0, max_value=10**8))
def test_a_written_size_reads_back(mib: int) -> None:
    assert to_bytes(mib_text(mib)) == mib * 2**20


@given(st.integers(min_value=0, max_value=10**8))
def test_a_written_cpu_reads_back(millis: int) -> None:
    assert to_millis(cpu_text(millis)) == millis


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (32000, 32000),
        ("32000", 32000),
        ("32k", 32000),
        ("32K", 32768),
        ("1.5k", 1500),
        ("1.5K", 7),
        ("-1", -1),
        ("auto", 7),
        (None, 7),
    ],
)
def test_whole_numbers_are_read_as_the_engine_reads_them(value: object, number: int) -> None:
    assert whole(value, 7) == number


def test_a_decimal_that_is_none_leaves_the_default() -> None:
    assert (decimal("0.95", 0.9), decimal("much", 0.9)) == (0.95, 0.9)
