"""vLLM's own parser, asked through scripts/vllm_parse.py.

It needs the wheel that `make oracle` downloads, or the one that LLMDGEN_VLLM_WHEEL names; tests skip without it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmdgen.engine.flags import FlagTable, flag_table
from llmdgen.facts import catalogue
from tests.engine.cases import REPOSITORY, Ask, vllm_wheel


@pytest.fixture(scope="session", params=catalogue.release_names())
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def table(release: str) -> FlagTable:
    return flag_table(release)


@pytest.fixture(scope="session")
def wheel(release: str) -> Path:
    found = vllm_wheel(release)
    if found is None:
        pytest.skip("no vLLM wheel: run `make oracle` or set LLMDGEN_VLLM_WHEEL")
    return found


@pytest.fixture(scope="session")
def ask(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Argument lists -> vLLM's answers. One process answers all, for importing vLLM takes seconds."""
    complaints = tmp_path_factory.mktemp("vllm") / "stderr"
    command = [sys.executable, REPOSITORY / "scripts/vllm_parse.py", wheel]
    with (
        complaints.open("w") as stderr,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        questions, replies = process.stdin, process.stdout
        assert questions is not None
        assert replies is not None

        def answer(arguments: Sequence[str]) -> dict[str, Any]:
            questions.write(json.dumps(list(arguments)) + "\n")
            questions.flush()
            line = replies.readline()
            assert line, complaints.read_text()[-2000:]
            reply: dict[str, Any] = json.loads(line)
            return reply

        yield lambda lists: [answer(each) for each in lists]
