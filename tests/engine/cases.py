"""Where the cases of these tests are, and what they are about."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llmdgen.engine.flags import flag_table

REPOSITORY = Path(__file__).parents[2]
RELEASE = "v0.5.1"
Ask = Callable[[Sequence[Sequence[str]]], list[dict[str, Any]]]


def vllm_wheel() -> Path | None:
    """The release's vLLM: what LLMDGEN_VLLM_WHEEL names, else what `make oracle` downloaded, None without either."""
    named = os.environ.get("LLMDGEN_VLLM_WHEEL")
    if named:
        return Path(named).resolve()
    version = flag_table(RELEASE).vllm
    return next(iter(sorted((REPOSITORY / ".cache/vllm").glob(f"vllm*-{version}-*.whl"))), None)


def corpus(name: str) -> list[dict[str, Any]]:
    """The cases of a file in corpus/."""
    cases: list[dict[str, Any]] = json.loads((Path(__file__).parent / "corpus" / f"{name}.json").read_text("utf-8"))
    return cases
