"""`llmdgen schema`: the file itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdgen import resources
from llmdgen.cli.schema import FILES
from tests.cli.conftest import Llmdgen

SCHEMAS = Path(resources.SCHEMAS)


def test_the_schema_is_printed_as_it_stands_in_the_repository(llmdgen: Llmdgen) -> None:
    assert llmdgen("schema").out == (SCHEMAS / "wellitpath.v1alpha1.json").read_text("utf-8")


@pytest.mark.parametrize(("of", "file"), [("spec", "wellitpath"), ("findings", "findings"), ("diff", "diff")])
def test_each_schema_may_be_asked_for(llmdgen: Llmdgen, of: str, file: str) -> None:
    (schema,) = SCHEMAS.glob(f"{file}.*.json")
    assert llmdgen("schema", of).out == schema.read_text("utf-8")


def test_every_schema_can_be_printed() -> None:
    assert sorted(FILES.values()) == sorted(file.name for file in SCHEMAS.glob("*.json"))
