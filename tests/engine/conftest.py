"""vLLM's own parser, asked through scripts/vllm_parse.py.

It needs the wheel that `make oracle` downloads, or the one that LLMDGEN_VLLM_WHEEL names; tests skip without it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmdgen.engine.flags import FlagTable, flag_table

REPOSITORY = Path(__file__).parents[2]
RELEASE = "v0.5.1"
Ask = Callable[[Sequence[Sequence[str]]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def table() -> FlagTable:
    return flag_table(RELEASE)


@pytest.fixture(scope="session")
def wheel(table: FlagTable) -> Path:
    named = os.environ.get("LLMDGEN_VLLM_WHEEL")
    found = [Path(named)] if named else sorted((REPOSITORY / ".cache/vllm").glob(f"vllm*-{table.vllm}-*.whl"))
    if not found:
        pytest.skip("no vLLM wheel: run `make oracle` or set LLMDGEN_VLLM_WHEEL")
    return found[-1].resolve()


@pytest.fixture(scope="session")
def ask(wheel: Path) -> Ask:
    """Argument lists -> vLLM's answers, in one process."""

    def answers(lists: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        script = REPOSITORY / "scripts/vllm_parse.py"
        text = "".join(json.dumps(list(each)) + "\n" for each in lists)
        run = subprocess.run([sys.executable, script, wheel], input=text, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr[-2000:]
        return [json.loads(line) for line in run.stdout.splitlines()]

    return answers


def corpus(name: str) -> list[dict[str, Any]]:
    """The cases of a file in corpus/."""
    cases: list[dict[str, Any]] = json.loads((Path(__file__).parent / "corpus" / f"{name}.json").read_text("utf-8"))
    return cases
