from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

ReportOf = Callable[[str, Any], str]


@pytest.mark.parametrize("name", ["a" * 33, "1", "x-1"])
def test_a_name_of_33_characters_fits(name: str, report_of: ReportOf) -> None:
    assert report_of("metadata.name", name) == ""


@pytest.mark.parametrize("name", ["a" * 34, "a" * 64, "a" * 5000])
def test_a_longer_name_is_one_finding_that_says_why(name: str, report_of: ReportOf) -> None:
    told = report_of("metadata.name", name)
    assert told.count("\n") == 0
    assert f"name has {len(name)} characters, 33 are allowed: the router's chart cuts the name" in told


@pytest.mark.parametrize("types", [["p5.48xlarge"], ["ml.p5.48xlarge", "p5en.48xlarge"]])
def test_instance_types_go_by_either_name(types: list[str], report_of: ReportOf) -> None:
    assert report_of("spec.instanceTypes", types) == ""


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../models", "a" * 1000, "p5\0", "ml.", "ml.ml.p5.48xlarge", "P5.48XLARGE"]
)
def test_an_instance_type_that_is_none_is_a_finding(name: str, report_of: ReportOf) -> None:
    assert "is not known" in report_of("spec.instanceTypes", [name]) or "invisible" in report_of(
        "spec.instanceTypes", [name]
    )


def test_a_role_may_have_the_instance_type_of_the_spec(report_of: ReportOf) -> None:
    assert report_of("spec.decode.instanceType", "p5.48xlarge") == ""
    assert "did you mean p5.48xlarge" in report_of("spec.decode.instanceType", "p5.48xlarg")


def test_one_instance_type_by_two_names_is_a_finding(report_of: ReportOf) -> None:
    assert "'ml.p5.48xlarge' is 'p5.48xlarge' again" in report_of(
        "spec.instanceTypes", ["p5.48xlarge", "ml.p5.48xlarge"]
    )


def test_paths_compose_once_each(report_of: ReportOf) -> None:
    assert report_of("spec.with", []) == ""
    assert "spec.path has it already" in report_of("spec.with", ["pd-disaggregation"])
    assert "did you mean wide-ep?" in report_of("spec.with", ["wideep"])


def test_an_old_release_is_answered_with_the_one_there_is(report_of: ReportOf) -> None:
    assert "release 'v0.4' is not known (fix: " in report_of("spec.release", "v0.4")


@pytest.mark.parametrize(("name", "proposal"), [(" openai/gpt", "openai/gpt"), ("--model", "model"), ("a/b ", "a/b")])
def test_a_model_name_does_not_start_or_end_with_blanks_or_dashes(
    name: str, proposal: str, report_of: ReportOf
) -> None:
    assert f"(fix: write {proposal})" in report_of("spec.model.name", name)
