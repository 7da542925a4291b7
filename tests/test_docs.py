"""The documentation says what the rules say."""

from __future__ import annotations

from scripts.write_docs import DIAGNOSTICS, diagnostics


def test_the_page_of_diagnostics_is_what_the_rules_say() -> None:
    assert DIAGNOSTICS.read_text("utf-8") == diagnostics(), "run scripts/write_docs.py"
