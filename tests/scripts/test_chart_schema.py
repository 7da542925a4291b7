"""The schemas among the facts are what scripts/chart_schema.py makes of the charts', and every value of ours passes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from ruamel.yaml import YAML

from llmdgen.checks._chart_schema import chart_schema, refused
from llmdgen.facts import catalogue
from llmdgen.resources import FACTS
from tests.tools import REPOSITORY, real_charts_folder

CHARTS = {"infra": "llm-d-infra", "ms": "llm-d-modelservice"}


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("release", catalogue.release_names())
def test_the_schema_is_the_charts_without_its_words(release: str, chart: str) -> None:
    folder = real_charts_folder(release)
    if folder is None:
        pytest.skip(f"the charts of {release} are not on this machine: set LLMDGEN_CHARTS")
    command = [sys.executable, "scripts/chart_schema.py", str(folder / CHARTS[chart])]
    made = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert made == (FACTS / "releases" / release / f"values-{chart}.schema.json").read_text("utf-8")


@pytest.mark.parametrize("file", sorted((REPOSITORY / "rendered").glob("*/*/values/*.yaml")), ids=str)
def test_what_is_rendered_passes_it(file: Any) -> None:
    values = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    assert list(refused(values, chart_schema("v0.5.1", file.stem))) == []


@pytest.mark.parametrize(
    ("value", "schema", "says"),
    [
        ("a", {"type": "integer"}, "a is not a whole number"),
        (True, {"type": ["integer", "number"]}, "true is not a whole number or a number"),
        (3.0, {"type": "integer"}, None),
        ({"b": 1}, {"properties": {"a": {}}, "additionalProperties": False}, "there is no b"),
        ({"b": "x"}, {"additionalProperties": {"type": "integer"}}, "x is not a whole number"),
        ([{}], {"items": {"required": ["port"]}}, "port is missing"),
        ({}, {"required": ["port"]}, None),
        (70000, {"minimum": 1, "maximum": 65535}, "70000 is no number from 1 to 65535"),
        ("", {"minLength": 1}, "0 characters are too many, or none"),
        ("A b", {"pattern": "^[a-z]+$"}, "A b does not match ^[a-z]+$"),
        ("{{ x }}", {"pattern": "^[a-z]+$"}, None),
        ("x", {"oneOf": [{"type": "string"}, {"type": "integer"}]}, None),
        ([], {"oneOf": [{"type": "string"}, {"type": "integer"}]}, "[] is not text"),
        (None, {"type": "string"}, None),
    ],
)
def test_each_keyword_of_the_charts_schemas_is_applied(value: Any, schema: dict[str, Any], says: str | None) -> None:
    assert [each.says for each in refused(value, schema)] == ([says] if says else [])
