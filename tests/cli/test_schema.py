"""`llmdgen schema`: the file itself."""

from __future__ import annotations

from llmdgen.resources import SCHEMAS
from tests.cli.conftest import Llmdgen


def test_the_schema_is_printed_as_it_stands_in_the_repository(llmdgen: Llmdgen) -> None:
    assert llmdgen("schema").out == (SCHEMAS / "wellitpath.v1alpha1.json").read_text("utf-8")
