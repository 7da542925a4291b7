from __future__ import annotations

import time

from llmdgen.suggest import did_you_mean, nearest, one_of

PATHS = ("inference-scheduling", "pd-disaggregation", "precise-prefix-cache", "tiered-prefix-cache", "wide-ep")


def test_the_nearest_name_comes_first() -> None:
    assert nearest("pd-disagregation", PATHS) == ("pd-disaggregation",)
    assert nearest("prefix-cache", PATHS)[0] in ("tiered-prefix-cache", "precise-prefix-cache")
    assert nearest("banana", PATHS) == ()


def test_case_and_dashes_do_not_count() -> None:
    assert nearest("instance_types", ("instanceTypes", "instanceType")) == ("instanceTypes",)


def test_a_few_known_names_are_listed_and_many_are_not() -> None:
    assert did_you_mean("x", ["eks", "hyperpod"]) == "use eks or hyperpod"
    assert did_you_mean("x", ["one", "two", "three"]) == "use one of one, two or three"
    assert did_you_mean("x", map(str, range(50))) == ""
    assert did_you_mean("x", []) == ""


def test_names_are_joined_as_in_a_sentence() -> None:
    assert one_of(["a"]) == "a"
    assert one_of(["a", "b", "c"]) == "a, b or c"


def test_a_very_long_word_takes_no_time() -> None:
    start = time.perf_counter()
    nearest("a" * 200_000, ["a" * 100] * 200)
    assert time.perf_counter() - start < 1
