"""Every code of the catalogue is provoked: in an expected report, or by name in a test.

Read from the files, because no worker of a parallel run sees what the others provoke.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from llmdgen.checks import load_all
from llmdgen.registry import RULES

TESTS = Path(__file__).parent
CODE = re.compile(r"\b[A-Z][A-Z0-9]{1,4}[0-9]{3}\b")


def strings(file: Path) -> Iterator[str]:
    """The strings of a module but for those that document it."""
    tree = ast.parse(file.read_text("utf-8"))
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            yield node.value


def test_every_code_is_expected_somewhere() -> None:
    load_all()
    reports = [*TESTS.glob("bad_specs/*.expected"), *TESTS.glob("upgrade/cases/*/says.txt")]
    texts = [file.read_text("utf-8") for file in reports]
    texts += [text for file in TESTS.rglob("test_*.py") for text in strings(file)]
    assert sorted(RULES.keys() - {code for text in texts for code in CODE.findall(text)}) == []
